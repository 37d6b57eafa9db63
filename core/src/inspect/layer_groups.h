#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace qfw {

/// Scopes of the core's own, what stands in none, and what is of no layer more than of others: no layers of the model.
inline constexpr const char* root_scope = "(root)";
inline constexpr const char* optimizer_scope = "optimizer";
inline constexpr const char* loss_scope = "loss";
inline constexpr const char* several_layers = "(several layers)";
bool is_of_the_model(const std::string& layer);

/// Rows of a table of layers drawn together, for people.
struct LayerGroups {
  std::vector<std::string> names;
  std::vector<std::size_t> of;  ///< of each layer: the position of its group among the names
};

/// What does not stand by itself (batch normalisations, say) goes with the layer before it in the same scope; so does the scope
/// itself, which has what a block does outside of its layers.
LayerGroups with_the_one_before(const std::vector<std::string>& layers,
                                const std::function<bool(std::size_t layer)>& stands_by_itself);

/// Blocks that follow each other, "stage1/block1" and "stage1/block2", and have layers of the same names that are alike become
/// "stage1/block1-2".
LayerGroups fold_blocks(const std::vector<std::string>& layers,
                        const std::function<bool(std::size_t layer, std::size_t other)>& alike);

/// Rows of the groups, made of those of the layers by +=; `Row` has a name, `layer`.
template <class Row>
std::vector<Row> grouped(const std::vector<Row>& rows, const LayerGroups& groups) {
  std::vector<Row> result(groups.names.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i].layer = groups.names[i];
  for (std::size_t i = 0; i < rows.size(); ++i) result[groups.of[i]] += rows[i];
  return result;
}

template <class Row>
std::vector<std::string> layers_of(const std::vector<Row>& rows) {
  std::vector<std::string> layers;
  for (const Row& row : rows) layers.push_back(row.layer);
  return layers;
}

}  // namespace qfw

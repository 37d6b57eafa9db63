#include "inspect/layer_groups.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace qfw {

namespace {

std::string_view scope_of(std::string_view layer) {
  const std::size_t slash = layer.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : layer.substr(0, slash);
}

std::string_view own_name(std::string_view layer) { return layer.substr(scope_of(layer).size()); }

/// Layers that follow each other in one scope.
struct Block {
  std::string_view stem;  ///< the scope without the number at its end
  long first = -1, last = -1;
  std::size_t begin = 0, count = 0;  ///< of its layers
};

std::vector<Block> blocks_of(const std::vector<std::string>& layers) {
  std::vector<Block> blocks;
  std::string_view before;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string_view scope = scope_of(layers[i]);
    if (i > 0 && !scope.empty() && scope == before) {
      ++blocks.back().count;
      continue;
    }
    before = scope;
    const std::size_t digits = scope.find_last_not_of("0123456789") + 1;
    Block block{.stem = scope.substr(0, digits), .begin = i, .count = 1};
    std::from_chars(scope.data() + digits, scope.data() + scope.size(), block.first);
    block.last = block.first;
    blocks.push_back(block);
  }
  return blocks;
}

}  // namespace

bool is_of_the_model(const std::string& layer) {
  return layer != root_scope && layer != optimizer_scope && layer != loss_scope && layer != several_layers;
}

LayerGroups with_the_one_before(const std::vector<std::string>& layers,
                                const std::function<bool(std::size_t layer)>& stands_by_itself) {
  LayerGroups groups;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto goes_with = [&](const std::string& before) {
      return is_of_the_model(before) && (scope_of(layers[i]) == scope_of(before) || layers[i] == scope_of(before));
    };
    const bool alone =
        groups.names.empty() || stands_by_itself(i) || !is_of_the_model(layers[i]) || !goes_with(groups.names.back());
    if (alone) groups.names.push_back(layers[i]);
    groups.of.push_back(groups.names.size() - 1);
  }
  return groups;
}

LayerGroups fold_blocks(const std::vector<std::string>& layers,
                        const std::function<bool(std::size_t layer, std::size_t other)>& alike) {
  LayerGroups groups;
  Block open;
  std::size_t open_at = 0;  // its first group
  const auto continues = [&](const Block& block) {
    if (block.first < 0 || block.stem != open.stem || block.first != open.last + 1 || block.count != open.count) return false;
    for (std::size_t i = 0; i < block.count; ++i) {
      const std::size_t mine = open.begin + i, other = block.begin + i;
      if (own_name(layers[mine]) != own_name(layers[other]) || !alike(mine, other)) return false;
    }
    return true;
  };
  for (const Block& block : blocks_of(layers)) {
    const bool more = continues(block);
    if (more) {
      open.last = block.last;
    } else {
      open = block;
      open_at = groups.names.size();
    }
    for (std::size_t i = 0; i < block.count; ++i) {
      const std::string& layer = layers[block.begin + i];
      groups.of.push_back(open_at + i);
      if (!more) {
        groups.names.push_back(layer);
      } else {
        groups.names[open_at + i] = fmt::format("{}{}-{}{}", open.stem, open.first, open.last, own_name(layer));
      }
    }
  }
  return groups;
}

}  // namespace qfw

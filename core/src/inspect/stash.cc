#include "inspect/stash.h"

#include <algorithm>
#include <numeric>

#include "inspect/task_row.h"
#include "passes/recompute.h"

namespace qfw {

std::int64_t Stash::bytes() const {
  std::int64_t sum = 0;
  for (const Row& row : rows) sum += row.bytes();
  return sum;
}

Stash stash_of(const Graph& graph, const Executable& executable) {
  int last_product = -1;
  const std::vector<Executable::Task> tasks = executable.tasks();
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const bool is_product = std::ranges::any_of(
        graph.sites, [&](const QuantizedSite& site) { return std::ranges::binary_search(tasks[i].nodes, site.matmul.node); });
    if (is_product) last_product = static_cast<int>(i);
  }
  Stash stash;
  if (!graph.training || last_product < 0) return stash;
  const LayerNames names(graph);
  const std::vector<bool> again = computed_again(graph);
  for (const Executable::Held& tensor : executable.held()) {
    const auto node = static_cast<std::size_t>(tensor.use.node);
    const bool kept = tensor.first <= last_product && tensor.last > last_product;
    if (!kept && !again[node]) continue;
    (kept ? stash.rows : stash.again)
        .push_back({.layer = names.of(tensor.use.node), .op = name_of(graph.nodes[node].op), .type = graph.type(tensor.use)});
  }
  const auto has = [](const std::vector<Stash::Row>& rows, const std::string& layer) {
    return std::ranges::find(rows, layer, &Stash::Row::layer) != rows.end();
  };
  for (const std::string& layer : names.in_order()) {
    if (has(stash.rows, layer) || has(stash.again, layer)) stash.layers.push_back(layer);
  }
  for (const QuantizedSite& site : graph.sites) stash.matmul_layers.push_back(site.path);
  return stash;
}

std::int64_t LayerStash::all() const { return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0}); }

LayerStash& LayerStash::operator+=(const LayerStash& other) {
  values += other.values;
  again += other.again;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += other.bytes[i];
  return *this;
}

std::vector<LayerStash> by_layer(const Stash& stash, std::size_t most_rows) {
  std::vector<LayerStash> rows;
  for (const std::string& layer : stash.layers) {
    LayerStash& row = rows.emplace_back(LayerStash{.layer = layer});
    for (const Stash::Row& value : stash.rows) {
      if (value.layer != layer) continue;
      ++row.values;
      row.bytes[static_cast<std::size_t>(value.type.dtype)] += value.bytes();
    }
    for (const Stash::Row& value : stash.again) row.again += value.layer == layer ? value.bytes() : 0;
  }
  const auto multiplies = [&](std::size_t i) {
    return std::ranges::find(stash.matmul_layers, rows[i].layer) != stash.matmul_layers.end();
  };
  rows = grouped(rows, with_the_one_before(layers_of(rows), multiplies));
  if (rows.size() <= most_rows) return rows;
  return grouped(rows, fold_blocks(layers_of(rows), [&](std::size_t a, std::size_t b) {
                   return rows[a].bytes == rows[b].bytes && rows[a].again == rows[b].again;
                 }));
}

}  // namespace qfw

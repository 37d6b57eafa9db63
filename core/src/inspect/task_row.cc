#include "inspect/task_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "inspect/work.h"

namespace qfw {

namespace {

bool is_matmul(const Node& node) { return class_of(node.op) == OpClass::matmul; }

bool is_transposed(const Graph& graph, Use use) { return graph.nodes[static_cast<std::size_t>(use.node)].op == Op::transpose; }

/// The gradients of a dense layer are dense products too, of transposed operands.
Part part_of_dense(const Graph& graph, int number) {
  const Node& node = graph.nodes[static_cast<std::size_t>(number)];
  const bool is_site = std::ranges::any_of(graph.sites, [&](const QuantizedSite& site) { return site.matmul.node == number; });
  if (is_site || !graph.training) return Part::forward;
  if (is_transposed(graph, node.inputs[0])) return Part::backward_weights;
  return is_transposed(graph, node.inputs[1]) ? Part::backward_data : Part::forward;
}

Part part_of(const Graph& graph, int number) {
  const Node& node = graph.nodes[static_cast<std::size_t>(number)];
  switch (node.op) {
    case Op::conv2d:
      return Part::forward;
    case Op::conv2d_grad_src:
      return Part::backward_data;
    case Op::conv2d_grad_weights:
      return Part::backward_weights;
    case Op::dense:
      return part_of_dense(graph, number);
    case Op::all_reduce:
      return Part::exchange;
    default:
      break;
  }
  const OpClass op_class = class_of(node.op);
  const bool passes = op_class == OpClass::elementwise || op_class == OpClass::reduction || op_class == OpClass::view;
  return passes || node.op == Op::constant ? Part::passes : Part::other;
}

std::string shapes_of(const Graph& graph, const Node& node) {
  std::string text;
  for (const Use use : node.inputs) text += (text.empty() ? "" : " x ") + graph.type(use).str();
  std::string outputs;
  for (const TensorType& type : node.outputs) outputs += (outputs.empty() ? "" : ", ") + type.str();
  return text + (text.empty() ? "" : " -> ") + outputs;
}

/// Of a pass: how many ops there are, over the largest space.
std::string space_of(const Graph& graph, const std::vector<int>& nodes) {
  const TensorType* largest = nullptr;
  int ops = 0;
  const auto look = [&](const TensorType& type) {
    if (largest == nullptr || type.shape.count() > largest->shape.count()) largest = &type;
  };
  for (const int number : nodes) {
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    if (class_of(node.op) == OpClass::source) continue;
    ++ops;
    for (const Use use : node.inputs) look(graph.type(use));
    for (const TensorType& type : node.outputs) look(type);
  }
  return largest == nullptr ? "" : fmt::format("{} op{} on {}", ops, ops == 1 ? "" : "s", largest->str());
}

}  // namespace

const char* name_of(Part part) {
  constexpr const char* names[part_count] = {"forward", "backward data", "backward weights", "passes", "exchange", "other"};
  return names[static_cast<std::size_t>(part)];
}

LayerNames::LayerNames(const Graph& graph) : graph_(graph) {
  for (const QuantizedSite& site : graph.sites) sites_.push_back(site.path);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (class_of(graph.nodes[i].op) == OpClass::source) continue;
    std::string layer = of(static_cast<int>(i));
    if (std::ranges::find(in_order_, layer) == in_order_.end()) in_order_.push_back(std::move(layer));
  }
}

std::string LayerNames::of(int node) const {
  const std::string& path = graph_.nodes[static_cast<std::size_t>(node)].path;
  if (path.empty()) return root_scope;
  const std::string_view first = std::string_view(path).substr(0, path.find('/'));
  if (first == optimizer_scope) return optimizer_scope;
  const auto site = std::ranges::find_if(sites_, [&](const std::string& each) {
    return path.starts_with(each) && (path.size() == each.size() || path[each.size()] == '/');
  });
  return site == sites_.end() ? path : *site;
}

std::string LayerNames::of(const std::vector<int>& nodes) const {
  std::vector<std::pair<std::string, int>> counts;  // in the order of the nodes
  for (const int number : nodes) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(number)];
    const std::string layer = of(number);
    const auto known = std::ranges::find(counts, layer, &std::pair<std::string, int>::first);
    auto& count = known == counts.end() ? counts.emplace_back(layer, 0) : *known;
    const OpClass op_class = class_of(node.op);
    if (op_class != OpClass::source && op_class != OpClass::view) count.second += is_matmul(node) ? 1 << 20 : 1;
  }
  // What stands in no scope is named by the layers beside it.
  const auto weight = [](const auto& count) { return count.first == root_scope ? -1 : count.second; };
  const auto most = std::ranges::max_element(counts, {}, weight);
  if (most == counts.end()) return root_scope;
  int all = 0;
  for (const auto& count : counts) all += count.second;
  return 4 * most->second < all && most->first != root_scope ? several_layers : most->first;
}

std::vector<TaskRow> rows_of(const Graph& graph, std::vector<Executable::Task> tasks) {
  const LayerNames names(graph);
  std::vector<TaskRow> rows;
  rows.reserve(tasks.size());
  for (Executable::Task& task : tasks) {
    TaskRow row{.task = std::move(task), .layer = {}, .shapes = {}};
    const std::vector<int>& nodes = row.task.nodes;
    row.layer = names.of(nodes);
    int chief = nodes.empty() ? -1 : nodes.back();  // the matmul, where there is one
    for (const int number : nodes) {
      const Node& node = graph.nodes[static_cast<std::size_t>(number)];
      if (!is_matmul(node)) continue;
      chief = number;
      row.multiplications += multiplications_of(graph, node);
      row.operands = graph.type(node.inputs[0]).dtype;
    }
    if (chief >= 0) {
      row.part = part_of(graph, chief);
      row.shapes =
          row.part == Part::passes ? space_of(graph, nodes) : shapes_of(graph, graph.nodes[static_cast<std::size_t>(chief)]);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace qfw

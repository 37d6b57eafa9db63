#include "qfw/lowering/materialize.h"

#include <algorithm>
#include <set>

#include "qfw/op_definition.h"

namespace qfw::lowering {
namespace {

bool is_fused_class(const Node& node) {
  const OpClass c = class_of(node.op);
  return c == OpClass::elementwise || c == OpClass::reduction || node.op == Op::constant || node.op == Op::broadcast_to;
}

/// A reshape that waits for a second operand is none that a pass reads through: it stands between what is computed early and
/// late.
bool is_view(const Node& node) { return class_of(node.op) == OpClass::view && node.inputs.size() == 1; }

}  // namespace

Materialization::Materialization(const Graph& graph, const Target& target)
    : graph_(graph), target_(target), single_(graph.nodes.size()), root_(graph.nodes.size()), readers_(graph.nodes.size()) {
  number_spaces();
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    const Node& node = graph.nodes[i];
    single_[i] = !is_fused_class(node) && !is_view(node);
    root_[i] = class_of(node.op) == OpClass::reduction;
    for (const Use use : node.inputs) readers_[use.node].push_back(i);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!single_[i]) continue;
    for (const Use use : graph.nodes[i].inputs) require(use);
  }
  for (const auto& [variable, use] : graph.updates) require(use);
  for (const Fetch& fetch : graph.fetches) require(fetch.use);
  require_operands();
  store_shared();
}

void Materialization::number_spaces() {
  std::map<std::vector<std::int64_t>, int> numbers;
  for (const Node& node : graph_.nodes) {
    const bool reduces = class_of(node.op) == OpClass::reduction;
    const Shape shape = reduces ? graph_.type(node.inputs[0]).shape : node.outputs.empty() ? Shape{} : node.outputs[0].shape;
    const auto [at, fresh] = numbers.try_emplace(key_of(shape), static_cast<int>(counts_.size()));
    if (fresh) counts_.push_back(shape.count());
    space_.push_back(at->second);
  }
}

void Materialization::require(Use use) {
  if (in_memory(use)) return;
  const Node& node = graph_.nodes[use.node];
  if (is_fused_class(node)) {
    root_[use.node] = true;
  } else {
    single_[use.node] = true;
    require(node.inputs[0]);
  }
}

void Materialization::require_operands() {
  for (int i = static_cast<int>(graph_.nodes.size()) - 1; i >= 0; --i) {
    const Node& node = graph_.nodes[i];
    const bool computes = class_of(node.op) == OpClass::elementwise || class_of(node.op) == OpClass::reduction;
    if (!computes && !(node.op == Op::broadcast_to && root_[i])) continue;
    for (const Use use : node.inputs) require_operand(i, use);
  }
}

/// An operand is computed with its reader only if it lies in the same space; otherwise it is read from memory, through views
/// that strides can express.
void Materialization::require_operand(int reader, Use use) {
  std::vector<int> chain;
  bool same = true;
  Use base = use;
  while (!in_memory(base) && is_view(graph_.nodes[base.node])) {
    chain.push_back(base.node);
    same = same && graph_.nodes[base.node].op != Op::transpose && space_[base.node] == space_[reader];
    base = graph_.nodes[base.node].inputs[0];
  }
  const Node& node = graph_.nodes[base.node];
  if (node.op == Op::constant) return;
  if (!in_memory(base)) {
    if (same && space_[base.node] == space_[reader]) return;
    require(base);
  }
  View view = dense_view(graph_, base);
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    if (extend(view, graph_.nodes[*at])) continue;
    require({*at, 0});
    view = dense_view(graph_, {*at, 0});
  }
}

void Materialization::collect(int space, int number, Expression& to, std::vector<int>& seen) const {
  if (std::ranges::find(seen, number) != seen.end()) return;
  seen.push_back(number);
  to.nodes.push_back(number);
  const Node& node = graph_.nodes[number];
  to.operations += definition(node.op).cost;
  for (const Use use : node.inputs) collect_operand(space, use, to, seen);
}

void Materialization::collect_operand(int space, Use use, Expression& to, std::vector<int>& seen) const {
  bool same = true;
  while (true) {
    const Node& node = graph_.nodes[use.node];
    if (node.op == Op::constant) {
      if (std::ranges::find(seen, use.node) == seen.end()) {
        seen.push_back(use.node);
        to.nodes.push_back(use.node);
      }
      return;
    }
    same = same && space_[use.node] == space;
    const bool passes = is_view(node) && (!in_memory(use) || (same && node.op == Op::reshape));
    if (!passes) break;
    same = same && node.op != Op::transpose;
    if (std::ranges::find(seen, use.node) == seen.end()) {
      seen.push_back(use.node);
      to.nodes.push_back(use.node);
    }
    use = node.inputs[0];
  }
  if (!in_memory(use)) return collect(space, use.node, to, seen);
  const bool reduction = class_of(graph_.nodes[use.node].op) == OpClass::reduction;
  const Leaf leaf{use, same && root_[use.node] && !reduction};
  const auto known = std::ranges::find(to.leaves, use, &Leaf::use);
  if (known == to.leaves.end()) {
    to.leaves.push_back(leaf);
  } else {
    known->soft = known->soft && leaf.soft;
  }
}

Expression Materialization::expression(int node) const {
  Expression result;
  std::vector<int> seen;
  collect(space_[node], node, result, seen);
  return result;
}

/// The earliest pass of every node: one more than what it has to wait for.
std::vector<int> Materialization::levels() const {
  std::vector<int> level(graph_.nodes.size(), -1);
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const Node& node = graph_.nodes[i];
    for (const Use use : node.inputs) {
      const Node& producer = graph_.nodes[use.node];
      const bool waits = single_[i] || single_[use.node] || class_of(producer.op) == OpClass::reduction ||
                         (root_[use.node] && space_[use.node] != space_[i]);
      level[i] = std::max(level[i], level[use.node] + (waits ? 1 : 0));
    }
  }
  return level;
}

/// The passes, as (level, space), that compute `from` themselves, other than by way of `without`.
std::vector<std::pair<int, int>> Materialization::passes_reached(int from, int without, const std::vector<int>& level) const {
  std::set<std::pair<int, int>> passes;
  std::set<int> seen;
  std::vector<int> pending{from};
  while (!pending.empty()) {
    const int number = pending.back();
    pending.pop_back();
    for (const int reader : readers_[number]) {
      if (reader == without || single_[reader] || !seen.insert(reader).second) continue;
      if (root_[reader])
        passes.emplace(level[reader], space_[reader]);
      else
        pending.push_back(reader);
    }
  }
  return {passes.begin(), passes.end()};
}

/// Whether the node is a matmul on which a pass may ride: what one pass alone reads of it is never in memory.
bool Materialization::may_anchor(int node) const {
  return target_.may_anchor && target_.may_anchor(graph_, graph_.nodes[node]);
}

/// Of values that all are made from the one before, the last: what is stored in its place.
bool Materialization::last_alone(int number) const {
  if (readers_[number].size() != 1) return true;
  const int reader = readers_[number].front();
  return single_[reader] || root_[reader] || space_[reader] != space_[number];
}

bool Materialization::worth_storing(int number, const std::vector<int>& level) const {
  if (readers_[number].empty()) return false;
  const auto passes = passes_reached(number, -1, level);
  if (passes.size() < 2) return false;
  if (space_count(number) <= target_.small_count) return true;
  const Expression expression = this->expression(number);
  std::vector<Use> large;
  for (const Leaf& leaf : expression.leaves) {
    if (graph_.type(leaf.use).shape.count() * 2 > space_count(number)) large.push_back(leaf.use);
  }
  if (large.size() > target_.recomputing.most_leaves || expression.operations > target_.recomputing.most_operations)
    return true;

  const auto bytes = [&](Use use) { return static_cast<double>(size_of(graph_.type(use).dtype)); };
  const auto extra = static_cast<double>(passes.size() - 1);  // one pass computes it in either case
  double again = extra * expression.operations * target_.recomputing.bytes_per_operation;
  for (const Use leaf : large) {
    const auto reading = passes_reached(leaf.node, number, level);
    const auto unread = std::count_if(passes.begin() + 1, passes.end(),
                                      [&](const auto& pass) { return std::ranges::find(reading, pass) == reading.end(); });
    again += static_cast<double>(unread) * bytes(leaf);
    if (reading.empty() && last_alone(number) && may_anchor(leaf.node)) again += 2 * bytes(leaf);
  }
  return again > target_.recomputing.bias * bytes({number, 0}) * (2 + extra);
}

void Materialization::store_shared() {
  const std::vector<int> level = levels();
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    if (class_of(graph_.nodes[i].op) == OpClass::elementwise && !root_[i] && worth_storing(i, level)) root_[i] = true;
  }
}

}  // namespace qfw::lowering

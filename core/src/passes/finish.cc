#include "passes/finish.h"

#include <algorithm>
#include <unordered_map>

#include "passes/remap.h"
#include "passes/replay.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"
#include "qfw/random.h"

namespace qfw {

namespace {

/// Copies the live part of a graph, each distinct computation once.
class Finisher {
 public:
  Finisher(const Graph& from, int replicas) : from_(from), replicas_(replicas) {
    result_.inputs = from.inputs;
    result_.variables = from.variables;
    result_.training = from.training;
    result_.may_update = from.may_update;
    result_.summation = from.summation;
    moved_.resize(from.nodes.size());
  }

  Graph run() {
    mark_live();
    for (int number = 0; number < static_cast<int>(from_.nodes.size()); ++number) {
      if (live_[number] && !is_alias(from_.nodes[number])) move(number);
    }
    copy_uses(from_, result_, [this](Use use) { return moved_if_live(use); });
    return std::move(result_);
  }

 private:
  /// Nodes that are their first operand.
  bool is_alias(const Node& node) const {
    return node.op == Op::assign || node.op == Op::straight_through || node.op == Op::stop_gradient ||
           (node.op == Op::all_reduce && replicas_ == 1);
  }

  Use resolve(Use use) const {
    while (is_alias(from_.nodes[use.node])) use = from_.nodes[use.node].inputs[0];
    return use;
  }

  void mark_live() {
    live_.assign(from_.nodes.size(), false);
    std::vector<int> pending;
    const auto need = [&](Use use) {
      use = resolve(use);
      if (!live_[use.node]) {
        live_[use.node] = true;
        pending.push_back(use.node);
      }
    };
    for (const auto& [variable, use] : from_.updates) need(use);
    for (const Fetch& fetch : from_.fetches) need(fetch.use);
    for (const QuantizedSite& site : from_.sites) {  // a scale that is a number stays to be read
      for (const Use scale : {site.src.scale, site.weights.scale}) {
        if (scale.node >= 0 && from_.nodes[resolve(scale).node].op == Op::constant) need(scale);
      }
    }
    while (!pending.empty()) {
      const Node& node = from_.nodes[pending.back()];
      pending.pop_back();
      for (const Use use : node.inputs) need(use);
    }
    for (std::size_t i = 0; i < from_.nodes.size(); ++i) {  // inputs stay: feeds go by their order
      if (from_.nodes[i].op == Op::input) live_[i] = true;
    }
  }

  void move(int number) {
    Node node = from_.nodes[number];
    for (Use& use : node.inputs) use = moved(use);
    if (node.op == Op::tensor) node.attributes = Slot{slot_of(from_.tensors[node.as<Slot>().index])};
    const std::uint64_t hash = hash_of_node(node);
    const auto [first, last] = seen_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      const Node& other = result_.nodes[it->second];
      if (other.op == node.op && other.inputs == node.inputs && other.outputs == node.outputs &&
          other.attributes == node.attributes) {
        moved_[number] = it->second;
        return;
      }
    }
    moved_[number] = static_cast<int>(result_.nodes.size());
    seen_.emplace(hash, moved_[number]);
    result_.nodes.push_back(std::move(node));
  }

  /// Of the tensor in the new graph: equal ones share the first's.
  int slot_of(const ConstantTensor& tensor) {
    const auto equal = [&](const ConstantTensor& other) {
      return other.type == tensor.type && (other.bytes == tensor.bytes || *other.bytes == *tensor.bytes);
    };
    const auto known = std::ranges::find_if(result_.tensors, equal);
    const auto slot = static_cast<int>(known - result_.tensors.begin());
    if (known == result_.tensors.end()) result_.tensors.push_back(tensor);
    return slot;
  }

  Use moved(Use use) const {
    use = resolve(use);
    return {moved_[use.node], use.output};
  }
  Use moved_if_live(Use use) const { return live_[resolve(use).node] ? moved(use) : Use{}; }

  static std::uint64_t hash_of_node(const Node& node) {
    std::uint64_t hash = static_cast<std::uint64_t>(node.op) * 0x9e3779b97f4a7c15u;
    for (const Use use : node.inputs) hash = (hash ^ static_cast<std::uint64_t>(use.node * 4 + use.output)) * 0x100000001b3u;
    return hash;
  }

  const Graph& from_;
  int replicas_;
  Graph result_;
  std::vector<bool> live_;
  std::vector<int> moved_;
  std::unordered_multimap<std::uint64_t, int> seen_;
};

}  // namespace

Graph finish(const Graph& recorded, int replicas) {
  Graph graph = Finisher(recorded, replicas).run();
  verify(graph);
  return graph;
}

Graph expand_composites(const Graph& graph, const std::function<bool(const Node&)>& declined, int replicas) {
  GraphBuilder g({.training = graph.training, .may_update = graph.may_update, .summation = graph.summation});
  Replay replay(graph, g);
  for (const Variable& variable : graph.variables) BuilderAccess::variable(g, variable);  // all of them, in the same order
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[number];
    const OpDefinition& rules = definition(node.op);
    if (rules.expand == nullptr || !declined(node)) {
      replay.copy(number);
      continue;
    }
    const auto scope = BuilderAccess::at_path(g, node.path);
    replay.replace(number, rules.expand(g, node, replay.inputs(node)));
  }
  Graph& expanded = BuilderAccess::graph(g);
  copy_uses(graph, expanded, [&](Use use) {
    const Value value = replay.at(use);
    return Use{value.node(), value.output()};
  });
  return finish(expanded, replicas);
}

}  // namespace qfw

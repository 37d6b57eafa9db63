#include "passes/recompute.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "passes/activations.h"
#include "passes/finish.h"
#include "passes/min_cut.h"
#include "passes/remap.h"
#include "passes/step.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

namespace {

bool may_be_repeated(const Graph& graph, int number, Recompute how) {
  const Node& node = graph.nodes[static_cast<std::size_t>(number)];
  switch (class_of(node.op)) {
    case OpClass::elementwise:
    case OpClass::view:
    case OpClass::composite:
      return true;
    case OpClass::matmul:
      return how == Recompute::all || (how == Recompute::integer && !is_float(node.outputs[0].dtype));
    case OpClass::other:
      return how == Recompute::all && node.op == Op::max_pool;
    default:
      return false;
  }
}

/// What is computed again, by node.
struct Choice {
  std::vector<int> segment;  ///< as segments_of
  std::vector<bool> again;
  std::int64_t bytes = 0;    ///< of activations at once, at most: an estimate
  bool ends_in_time = true;  ///< no segment has more products to repeat than there are behind it
};

class Chooser {
 public:
  Chooser(const Activations& activations, Recompute how, std::vector<int> segment)
      : activations_(activations), graph_(activations.graph()), how_(how), segment_(std::move(segment)) {
    last_ = *std::ranges::max_element(segment_);
  }

  Choice run() {
    const std::vector<bool> kept = cut();
    std::vector<bool> again(graph_.nodes.size());
    for (int number = activations_.count() - 1; number >= 0; --number) {
      const auto at = static_cast<std::size_t>(number);
      if (!is_cut(number) || kept[at] || (!activations_.read_late(number) && !again[at])) continue;
      again[at] = true;
      for (const Use use : graph_.nodes[at].inputs) {
        if (is_cut(use.node) && !kept[static_cast<std::size_t>(use.node)]) again[static_cast<std::size_t>(use.node)] = true;
      }
    }
    const std::int64_t bytes = most_at_once(kept, again);
    const bool in_time = ends_in_time(again);
    return {std::move(segment_), std::move(again), bytes, in_time};
  }

 private:
  int segment(int node) const { return segment_[static_cast<std::size_t>(node)]; }
  /// Whether there is anything to choose: the last segment is there when the backward pass begins.
  bool is_cut(int node) const { return activations_.is(node) && segment(node) != last_; }

  std::vector<bool> cut() const {
    MinCut cut(activations_.count());
    for (int number = 0; number < activations_.count(); ++number) {
      if (!is_cut(number)) continue;
      cut.costs(number, activations_.bytes(number));
      if (activations_.read_late(number)) cut.ends(number);
      const bool repeats = may_be_repeated(graph_, number, how_);
      if (!repeats) cut.begins(number);
      for (const Use use : graph_.nodes[static_cast<std::size_t>(number)].inputs) {
        if (is_cut(use.node) && repeats) cut.leads(use.node, number);
      }
    }
    for (int number = 0; number < activations_.count(); ++number) {  // what leads from a segment to another is kept, if needed
      if (!activations_.is(number)) continue;
      for (const Use use : graph_.nodes[static_cast<std::size_t>(number)].inputs) {
        if (is_cut(use.node) && segment(use.node) != segment(number)) cut.begins(use.node);
      }
    }
    return cut.run();
  }

  /// At the end of the forward pass, or while the backward pass of a segment goes on.
  std::int64_t most_at_once(const std::vector<bool>& kept, const std::vector<bool>& again) const {
    std::vector<std::int64_t> kept_of(static_cast<std::size_t>(last_) + 1), again_of(kept_of.size());
    for (int number = 0; number < activations_.count(); ++number) {
      const auto at = static_cast<std::size_t>(number);
      if (!activations_.is(number)) continue;
      const auto own = static_cast<std::size_t>(segment(number));
      if (kept[at]) kept_of[own] += activations_.bytes(number);
      if ((again[at] || !is_cut(number)) && activations_.stored(number)) again_of[own] += activations_.bytes(number);
    }
    std::int64_t held = 0, most = 0;
    for (std::size_t i = 0; i < kept_of.size(); ++i) {
      held += kept_of[i];
      most = std::max(most, held + again_of[i]);
    }
    return most;
  }

  /// A gradient takes more passes than the product it belongs to. Where a segment repeats no more products than stand behind
  /// it, the operands of its gradients are there, counted in passes, before these are reached: a backend that puts into one
  /// pass what can be computed at the same time then has the gradients in the same passes, and their sums the same bits.
  bool ends_in_time(const std::vector<bool>& again) const {
    std::int64_t behind = 0;
    std::vector<std::int64_t> products(static_cast<std::size_t>(last_) + 1), repeated(products.size());
    for (int number = 0; number < activations_.count(); ++number) {
      const auto at = static_cast<std::size_t>(number);
      if (!activations_.is(number) || class_of(graph_.nodes[at].op) != OpClass::matmul) continue;
      const auto own = static_cast<std::size_t>(segment(number));
      if (activations_.leads(number)) ++products[own];
      if (again[at]) ++repeated[own];
    }
    for (std::size_t i = products.size(); i-- > 0;) {
      if (repeated[i] > behind) return false;
      behind += products[i];
    }
    return true;
  }

  const Activations& activations_;
  const Graph& graph_;
  Recompute how_;
  std::vector<int> segment_;
  int last_ = 0;
};

/// Of segments of several lengths, those that need least.
Choice best_choice(const Activations& activations, Recompute how) {
  std::int64_t all = 0;
  for (int number = 0; number < activations.count(); ++number) {
    if (activations.is(number) && activations.stored(number)) all += activations.bytes(number);
  }
  Choice best = Chooser(activations, how, segments_of(activations, all)).run();  // one: everything is kept
  constexpr int parts[] = {2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64};
  for (const int part : parts) {
    Choice choice = Chooser(activations, how, segments_of(activations, all / part)).run();
    if (choice.ends_in_time && choice.bytes < best.bytes) best = std::move(choice);
  }
  return best;
}

/// Copies a graph. Before the first gradient that reads what is computed again of a segment comes that segment's second
/// computation; gradients read the second instead of the first.
class Rewriter {
 public:
  Rewriter(const Activations& activations, const Choice& choice, int replicas)
      : activations_(activations), from_(activations.graph()), choice_(choice), replicas_(replicas) {
    result_.inputs = from_.inputs;
    result_.variables = from_.variables;
    result_.tensors = from_.tensors;
    result_.training = from_.training;
    result_.may_update = from_.may_update;
    result_.summation = from_.summation;
  }

  Graph run() {
    find_segments();
    for (int number = 0; number < activations_.count(); ++number) {
      if (const auto at = opens_.find(number); at != opens_.end()) {
        for (const int segment : at->second) repeat(segment);
      }
      Node node = from_.nodes[static_cast<std::size_t>(number)];
      for (Use& use : node.inputs) use = activations_.late(number) ? latest(use) : moved(use);
      moved_.push_back(static_cast<int>(result_.nodes.size()));
      result_.nodes.push_back(std::move(node));
      if (number == first_gradient_) wait_for_gradients();
    }
    copy_uses(from_, result_, [this](Use use) { return moved(use); });
    return finish(result_, replicas_);
  }

 private:
  using Key = std::pair<int, int>;
  static Key key(Use use) { return {use.node, use.output}; }

  Use moved(Use use) const { return {moved_[static_cast<std::size_t>(use.node)], use.output}; }
  /// What a gradient reads: the second computation's, where there is one.
  Use latest(Use use) const {
    const auto at = latest_.find(key(use));
    return at == latest_.end() ? moved(use) : at->second;
  }

  void find_segments() {
    first_gradient_ = first_gradient();
    std::map<int, int> first_reader;  // of a segment
    for (int number = 0; number < activations_.count(); ++number) {
      const auto at = static_cast<std::size_t>(number);
      if (choice_.again[at]) members_[choice_.segment[at]].push_back(number);
      if (!activations_.late(number)) continue;
      for (const Use use : from_.nodes[at].inputs) {
        const auto read = static_cast<std::size_t>(use.node);
        if (choice_.again[read]) first_reader.try_emplace(choice_.segment[read], number);
      }
    }
    for (const auto& [segment, reader] : first_reader) {
      if (reader > first_gradient_) opens_[reader].push_back(segment);
    }
  }

  /// The first gradient that is in memory: a product or a sum.
  int first_gradient() const {
    for (int number = 0; number < activations_.count(); ++number) {
      const OpClass op_class = class_of(from_.nodes[static_cast<std::size_t>(number)].op);
      const bool in_memory = op_class == OpClass::matmul || op_class == OpClass::other || op_class == OpClass::reduction;
      if (in_memory && activations_.late(number)) return number;
    }
    return activations_.count();
  }

  /// What second computations begin with, to be read after the first gradient. All gradients read it there, so that a pass that
  /// gradients shared without any second computation, they still share.
  void wait_for_gradients() {
    for (const auto& [reader, segments] : opens_) {
      for (const int segment : segments) {
        for (const int number : members_.at(segment)) {
          for (const Use use : from_.nodes[static_cast<std::size_t>(number)].inputs) {
            if (begins(use) && !latest_.contains(key(use))) latest_[key(use)] = after(use);
          }
        }
      }
    }
  }

  bool begins(Use use) const {
    if (choice_.again[static_cast<std::size_t>(use.node)]) return false;
    return activations_.is(use.node) ||
           (from_.nodes[static_cast<std::size_t>(use.node)].op == Op::input && activations_.large(use));
  }

  Use after(Use use) {
    const TensorType& type = from_.type(use);
    result_.nodes.push_back({.op = Op::reshape,
                             .inputs = {moved(use), moved({first_gradient_, 0})},
                             .attributes = type.shape,
                             .outputs = {type},
                             .path = from_.nodes[static_cast<std::size_t>(use.node)].path});
    return {static_cast<int>(result_.nodes.size()) - 1, 0};
  }

  void repeat(int segment) {
    for (const int number : members_.at(segment)) {
      Node node = from_.nodes[static_cast<std::size_t>(number)];
      for (Use& use : node.inputs) use = latest(use);
      latest_[{number, 0}] = {static_cast<int>(result_.nodes.size()), 0};
      result_.nodes.push_back(std::move(node));
    }
  }

  const Activations& activations_;
  const Graph& from_;
  const Choice& choice_;
  int replicas_;
  Graph result_;
  std::vector<int> moved_;
  std::map<int, std::vector<int>> members_;  ///< of a segment: what is computed again
  std::map<int, std::vector<int>> opens_;    ///< by gradient: the segments that are computed again before it
  int first_gradient_ = 0;
  std::map<Key, Use> latest_;
};

bool has_logits(const Graph& graph) {
  return std::ranges::find(graph.fetches, step_names::logits, &Fetch::name) != graph.fetches.end();
}

bool waits(const Node& node) { return node.op == Op::reshape && node.inputs.size() == 2; }

}  // namespace

const char* name_of(Recompute how) {
  constexpr const char* names[] = {"none", "elementwise", "integer", "all"};
  return names[static_cast<std::size_t>(how)];
}

Graph recompute(const Graph& graph, Recompute how, int replicas) {
  if (how == Recompute::none || !graph.training || !has_logits(graph)) return graph;
  const Activations activations(graph);
  const Choice choice = best_choice(activations, how);
  if (std::ranges::find(choice.again, true) == choice.again.end()) return graph;
  return Rewriter(activations, choice, replicas).run();
}

std::vector<bool> computed_again(const Graph& graph) {
  std::vector<bool> again(graph.nodes.size()), late(graph.nodes.size());
  const auto logits = std::ranges::find(graph.fetches, step_names::logits, &Fetch::name);
  if (logits == graph.fetches.end()) return again;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto operands = std::span(node.inputs).first(waits(node) ? 1 : node.inputs.size());
    late[i] = std::ranges::any_of(
        operands, [&](Use use) { return use.node == logits->use.node || late[static_cast<std::size_t>(use.node)]; });
    again[i] = !late[i] && (waits(node) ||
                            std::ranges::any_of(operands, [&](Use use) { return again[static_cast<std::size_t>(use.node)]; }));
  }
  return again;
}

}  // namespace qfw

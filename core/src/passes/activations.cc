#include "passes/activations.h"

#include <algorithm>

#include "passes/step.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

namespace {

/// Its operands and its result lie in memory.
bool stands_alone(const Node& node) {
  const OpClass op_class = class_of(node.op);
  return op_class == OpClass::matmul || op_class == OpClass::other;
}

}  // namespace

Activations::Activations(const Graph& graph)
    : graph_(graph),
      is_(graph.nodes.size()),
      late_(graph.nodes.size()),
      leads_(graph.nodes.size()),
      read_late_(graph.nodes.size()),
      stored_(graph.nodes.size()) {
  const auto logits = std::ranges::find(graph.fetches, step_names::logits, &Fetch::name);
  if (logits == graph.fetches.end()) fail(Error::Category::internal, "recompute", "the graph has no logits");
  find_late(logits->use.node);
  find_leading(logits->use.node);
  find_activations();
  find_readers();
}

void Activations::find_late(int logits) {
  for (int number = 0; number < count(); ++number) {
    const std::vector<Use>& inputs = graph_.nodes[at(number)].inputs;
    late_[at(number)] = std::ranges::any_of(inputs, [&](Use use) { return use.node == logits || late_[at(use.node)]; });
  }
}

void Activations::find_leading(int logits) {
  leads_[at(logits)] = true;
  for (int number = logits; number >= 0; --number) {
    if (!leads_[at(number)]) continue;
    for (const Use use : graph_.nodes[at(number)].inputs) leads_[at(use.node)] = true;
  }
}

void Activations::find_activations() {
  std::vector<bool> fed(graph_.nodes.size());
  for (int number = 0; number < count(); ++number) {
    const Node& node = graph_.nodes[at(number)];
    fed[at(number)] = (node.op == Op::input && large({number, 0})) ||
                      std::ranges::any_of(node.inputs, [&](Use use) { return fed[at(use.node)]; });
    is_[at(number)] =
        fed[at(number)] && !late(number) && node.op != Op::input && node.outputs.size() == 1 && large({number, 0});
  }
}

void Activations::find_readers() {
  for (int number = 0; number < count(); ++number) {
    const Node& node = graph_.nodes[at(number)];
    if (stands_alone(node)) stored_[at(number)] = true;
    for (const Use use : node.inputs) {
      if (late(number)) read_late_[at(use.node)] = true;
      if (stands_alone(node)) stored_[at(use.node)] = true;
    }
  }
}

std::int64_t Activations::bytes(int node) const {
  std::int64_t sum = 0;
  for (const TensorType& type : graph_.nodes[at(node)].outputs) sum += static_cast<std::int64_t>(type.bytes());
  return sum;
}

namespace {

/// Divides the nodes that lead to the logits.
class Divider {
 public:
  Divider(const Activations& activations, std::int64_t most_bytes) : activations_(activations), most_bytes_(most_bytes) {
    const auto count = static_cast<std::size_t>(activations.count());
    before_.resize(count + 1);
    crossing_.resize(count + 1);
    std::vector<int> last_reader(count, -1);
    for (int number = 0; number < activations.count(); ++number) {
      if (!activations.leads(number)) continue;
      for (const Use use : activations.graph().nodes[static_cast<std::size_t>(number)].inputs)
        last_reader[static_cast<std::size_t>(use.node)] = number;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const int number = static_cast<int>(i);
      const bool counts = activations.is(number) && activations.leads(number);
      before_[i + 1] = before_[i] + (counts && activations.stored(number) ? activations.bytes(number) : 0);
      if (!counts) continue;
      crossing_[i + 1] += activations.bytes(number);
      crossing_[static_cast<std::size_t>(last_reader[i] < 0 ? number : last_reader[i]) + 1] -= activations.bytes(number);
    }
    for (std::size_t i = 1; i <= count; ++i) crossing_[i] += crossing_[i - 1];
  }

  /// Each the first node of a segment, but the first.
  std::vector<int> boundaries() const {
    std::vector<int> found;
    for (int start = 0;;) {
      const int next = end_of(start);
      if (next < 0) return found;
      found.push_back(next);
      start = next;
    }
  }

 private:
  /// Where least crosses, in the latter half of what the segment may hold; -1: it holds all the rest.
  int end_of(int start) const {
    const std::int64_t from = before_[static_cast<std::size_t>(start)];
    int best = -1;
    for (int number = start + 1; number < activations_.count(); ++number) {
      const std::int64_t held = before_[static_cast<std::size_t>(number)] - from;
      if (held > most_bytes_ && best >= 0) return best;
      if (2 * held < most_bytes_ || !activations_.leads(number) || !activations_.is(number)) continue;
      if (best < 0 || crossing_[static_cast<std::size_t>(number)] <= crossing_[static_cast<std::size_t>(best)]) best = number;
    }
    return before_.back() - from > most_bytes_ ? best : -1;
  }

  const Activations& activations_;
  std::int64_t most_bytes_;
  std::vector<std::int64_t> before_;    ///< stored bytes of the nodes before each
  std::vector<std::int64_t> crossing_;  ///< bytes of what was computed before each node and is read at it or later
};

}  // namespace

std::vector<int> segments_of(const Activations& activations, std::int64_t most_bytes) {
  const std::vector<int> boundaries = Divider(activations, most_bytes).boundaries();
  std::vector<int> segments(static_cast<std::size_t>(activations.count()), -1);
  for (int number = 0; number < activations.count(); ++number) {
    if (!activations.is(number)) continue;
    int& segment = segments[static_cast<std::size_t>(number)];
    if (activations.leads(number)) {
      segment = static_cast<int>(std::ranges::upper_bound(boundaries, number) - boundaries.begin());
      continue;
    }
    segment = 0;  // what only gradients read belongs to what it is made of
    for (const Use use : activations.graph().nodes[static_cast<std::size_t>(number)].inputs) {
      segment = std::max(segment, segments[static_cast<std::size_t>(use.node)]);
    }
  }
  return segments;
}

}  // namespace qfw

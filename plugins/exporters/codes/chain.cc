#include "chain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::codes {

namespace {

/// Whether an op of one varying operand is monotone in it before rounding, and so after it: rounding to nearest, and taking
/// subnormals for zero, are monotone themselves.
bool never_turns(const Node& node, std::size_t varying) {
  switch (node.op) {
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::minimum:
    case Op::maximum:
    case Op::negate:
    case Op::relu:
    case Op::sqrt:
    case Op::floor:
    case Op::round_even:
    case Op::less:
    case Op::less_equal:
    case Op::cast:
    case Op::max_pool:
      return true;
    case Op::divide:
      return varying == 0;
    default:
      return false;
  }
}

/// Whether it never falls.
bool rises(const Node& node, std::size_t varying, const HostView& other) {
  const auto all = [&](auto holds) { return other.type.dtype == DType::f32 && std::ranges::all_of(other.as<float>(), holds); };
  switch (node.op) {
    case Op::add:
    case Op::minimum:
    case Op::maximum:
    case Op::relu:
    case Op::sqrt:
    case Op::floor:
    case Op::round_even:
    case Op::cast:
    case Op::max_pool:
      return true;
    case Op::subtract:
      return varying == 0;
    case Op::multiply:
      return all([](float factor) { return factor >= 0; });
    case Op::divide:
      return varying == 0 && all([](float divisor) { return divisor > 0; });
    default:
      return false;
  }
}

bool all_finite(const HostView& values) {
  const auto check = [](auto all) {
    return std::ranges::all_of(all, [](auto value) { return std::isfinite(static_cast<float>(value)); });
  };
  switch (values.type.dtype) {
    case DType::f32:
      return check(values.as<float>());
    case DType::bf16:
      return check(values.as<BFloat16>());
    case DType::f16:
      return check(values.as<Float16>());
    default:
      return true;
  }
}

bool is_source(const Node& node) { return node.op == Op::input || node.op == Op::conv2d || node.op == Op::dense; }
bool passes(const Node& node) { return class_of(node.op) == OpClass::elementwise || node.op == Op::max_pool; }

constexpr int from_source = -1, from_constant = -2;

/// What of the graph codes are made of, back to the first nodes that no chain leads through.
class Cone {
 public:
  Cone(const Graph& graph, const Constants& constants, Use codes)
      : graph_(graph), constants_(constants), member_(graph.nodes.size()) {
    std::vector<int> pending{codes.node};
    std::set<int> seen(pending.begin(), pending.end());
    while (!pending.empty()) {
      const int number = pending.back();
      pending.pop_back();
      if (is_source(node(number)) || !passes(node(number))) {
        ends_.insert(number);
        continue;
      }
      member_[static_cast<std::size_t>(number)] = true;
      for (const Use use : node(number).inputs) {
        if (constants_.of_images(use) && seen.insert(use.node).second) pending.push_back(use.node);
      }
    }
  }

  bool has(int number) const { return member_[static_cast<std::size_t>(number)]; }
  const std::set<int>& ends() const { return ends_; }

  /// Why it does not come from one source; empty if it does.
  std::string obstacle() const {
    if (ends_.size() > 1) return meeting();
    int end = *ends_.begin();
    if (is_source(node(end))) return "";
    const auto viewed = [&] { return node(end).inputs[0]; };
    while (class_of(node(end).op) == OpClass::view && class_of(node(viewed().node).op) == OpClass::reduction)
      end = viewed().node;
    return fmt::format("{} is no op of single elements", named(end));
  }

  std::string named(int number) const {
    return node(number).path.empty() ? name_of(node(number).op)
                                     : fmt::format("{} of {}", name_of(node(number).op), node(number).path);
  }

 private:
  const Node& node(int number) const { return graph_.nodes[static_cast<std::size_t>(number)]; }

  /// The last op of several ends, and what it joins.
  std::string meeting() const {
    std::vector<std::set<int>> behind(graph_.nodes.size());
    int joint = -1;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const int number = static_cast<int>(i);
      if (ends_.contains(number)) behind[i] = {number};
      if (!member_[i]) continue;
      std::set<std::set<int>> kinds;
      for (const Use use : graph_.nodes[i].inputs) {
        if (!constants_.of_images(use)) continue;
        const std::set<int>& theirs = behind[static_cast<std::size_t>(use.node)];
        kinds.insert(theirs);
        behind[i].insert(theirs.begin(), theirs.end());
      }
      if (kinds.size() > 1) joint = number;
    }
    std::vector<std::string> joined;
    for (const int end : behind[static_cast<std::size_t>(joint)])
      joined.push_back(node(end).path.empty() ? name_of(node(end).op) : node(end).path);
    constexpr std::size_t most = 3;
    if (joined.size() > most) joined = {fmt::format("{} layers", joined.size())};
    return fmt::format("{} joins {}", named(joint), fmt::join(joined, " and "));
  }

  const Graph& graph_;
  const Constants& constants_;
  std::vector<bool> member_;
  std::set<int> ends_;
};

}  // namespace

Chain::Chain(const Graph& graph, Constants& constants, Use codes) : graph_(graph), codes_(codes) {
  const Cone cone(graph, constants, codes);
  obstacle_ = cone.obstacle();
  if (!obstacle_.empty()) return;
  const int end = *cone.ends().begin();
  source_ = {end, 0};
  const Shape& shape = graph.type(source_).shape;
  rank_ = shape.rank();
  channels_ = shape.channels();
  std::vector<int> place(graph.nodes.size(), from_constant);  // of what each node makes: the step, or from_source
  place[static_cast<std::size_t>(end)] = from_source;
  for (int number = 0; number <= codes.node; ++number) {
    if (!cone.has(number)) continue;
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    Step step{number, {}, {}};
    std::size_t varying = 0, variable = 0;
    HostView other;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Use use = node.inputs[i];
      if (constants.of_images(use)) {
        variable = i;
        ++varying;
        step.from.push_back(place[static_cast<std::size_t>(use.node)]);
        step.constants.emplace_back();
        const bool same = node.op == Op::max_pool || graph.type(use).shape == node.outputs[0].shape;
        if (!same) obstacle_ = cone.named(number) + " changes the shape";
        continue;
      }
      other = constants.narrow(use);
      step.from.push_back(from_constant);
      step.constants.push_back(other);
      const Shape& extents = other.type.shape;
      const bool per_channel = extents.rank() <= rank_ && (extents.count() == 1 || extents.count() == extents.channels()) &&
                               (extents.channels() == 1 || extents.channels() == channels_);
      if (!per_channel) obstacle_ = cone.named(number) + " has another constant at each place";
    }
    if (varying != 1) line_ = false;
    monotone_ = monotone_ && varying == 1 && never_turns(node, variable);
    if (!pools_.empty() && !(line_ && rises(node, variable, other)))
      obstacle_ = cone.named(number) + ", behind a max pool, may fall where what was pooled rises";
    if (node.op == Op::max_pool) {
      if (!line_) obstacle_ = cone.named(number) + " is on one of several ways";
      pools_.push_back(number);
      place[static_cast<std::size_t>(number)] = step.from.at(0);  // element by element nothing happens there
    } else {
      place[static_cast<std::size_t>(number)] = static_cast<int>(steps_.size());
      steps_.push_back(std::move(step));
    }
    if (!obstacle_.empty()) return;
  }
}

TensorType Chain::of_rows(DType dtype, std::int64_t rows) const {
  return {rank_ == 4 ? Shape{rows, 1, 1, channels_} : Shape{rows, channels_}, dtype};
}

std::vector<int> Chain::codes_of(HostView numbers, bool* finite) const {
  const std::int64_t rows = numbers.type.shape.count() / channels_;
  const HostView source(of_rows(numbers.type.dtype, rows), numbers.bytes);
  std::vector<std::vector<std::byte>> made;
  std::vector<HostView> views;
  if (finite != nullptr) *finite = true;
  const FlushDenormals flushed;
  for (const Step& step : steps_) {
    Node node = graph_.nodes[static_cast<std::size_t>(step.node)];
    node.outputs = {of_rows(node.outputs[0].dtype, rows)};
    std::vector<HostView> inputs;
    for (std::size_t i = 0; i < step.from.size(); ++i) {
      inputs.push_back(step.from[i] == from_constant ? step.constants[i]
                       : step.from[i] == from_source ? source
                                                     : views[static_cast<std::size_t>(step.from[i])]);
    }
    made.emplace_back(node.outputs[0].bytes());
    const HostTensor output{node.outputs[0], made.back()};
    definition(node.op).evaluate({node, inputs, std::span(&output, 1)});
    views.emplace_back(output);
    if (finite != nullptr && !all_finite(views.back())) *finite = false;
  }
  std::vector<int> codes(static_cast<std::size_t>(rows * channels_));
  const HostView& last = views.back();
  if (last.type.dtype == DType::u8) {
    std::ranges::copy(last.as<std::uint8_t>(), codes.begin());
  } else {
    std::ranges::copy(last.as<std::int8_t>(), codes.begin());
  }
  return codes;
}

}  // namespace qfw::codes

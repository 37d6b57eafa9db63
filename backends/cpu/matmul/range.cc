#include "matmul/range.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qfw::cpu {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr int max_depth = 12;  // a quantizer's chain is short; what lies behind rarely bounds anything

Range limits(DType type) {
  switch (type) {
    case DType::u8:
      return {0, 255};
    case DType::s8:
      return {-128, 127};
    default:
      return {-infinity, infinity};
  }
}

// Rounding is monotonic: bounds rounded as the values are remain bounds.
float rounded(float value, DType type) { return type == DType::bf16 ? static_cast<float>(BFloat16(value)) : value; }

Range checked(Range range, DType type) {
  const Range widest = limits(type);
  if (std::isnan(range.low) || std::isnan(range.high)) return widest;
  return {std::max(rounded(range.low, type), widest.low), std::min(rounded(range.high, type), widest.high)};
}

Range product(Range a, Range b) {
  const float corners[] = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
  if (std::ranges::any_of(corners, [](float x) { return std::isnan(x); })) return {-infinity, infinity};
  return {*std::ranges::min_element(corners), *std::ranges::max_element(corners)};
}

Range search(const Graph& graph, Use use, int depth) {
  const Node& node = graph.nodes[use.node];
  const DType type = graph.type(use).dtype;
  if (depth == max_depth) return limits(type);
  const auto of = [&](int input) { return search(graph, node.inputs[input], depth + 1); };
  const auto hull = [](Range a, Range b) { return Range{std::min(a.low, b.low), std::max(a.high, b.high)}; };
  switch (node.op) {
    case Op::constant: {
      const auto value = static_cast<float>(node.as<Number>().value);
      return checked({value, value}, type);
    }
    case Op::minimum: {
      const Range a = of(0), b = of(1);
      return checked({std::min(a.low, b.low), std::min(a.high, b.high)}, type);
    }
    case Op::maximum: {
      const Range a = of(0), b = of(1);
      return checked({std::max(a.low, b.low), std::max(a.high, b.high)}, type);
    }
    case Op::relu: {
      const Range a = of(0);
      return checked({std::max(a.low, 0.0f), std::max(a.high, 0.0f)}, type);
    }
    case Op::negate: {
      const Range a = of(0);
      return checked({-a.high, -a.low}, type);
    }
    case Op::floor: {
      const Range a = of(0);
      return checked({std::floor(a.low), std::floor(a.high)}, type);
    }
    case Op::round_even: {
      const Range a = of(0);
      return checked({std::nearbyint(a.low), std::nearbyint(a.high)}, type);
    }
    case Op::add: {
      const Range a = of(0), b = of(1);
      return checked({a.low + b.low, a.high + b.high}, type);
    }
    case Op::subtract: {
      const Range a = of(0), b = of(1);
      return checked({a.low - b.high, a.high - b.low}, type);
    }
    case Op::multiply:
      return checked(product(of(0), of(1)), type);
    case Op::select:
      return checked(hull(of(1), of(2)), type);
    case Op::cast:
    case Op::straight_through:
    case Op::stop_gradient:
    case Op::reshape:
    case Op::transpose:
    case Op::broadcast_to:
    case Op::max_pool:
    case Op::reduce_max:
    case Op::reduce_min:
      return checked(of(0), type);
    case Op::less:
    case Op::less_equal:
    case Op::equal:
    case Op::is_finite:
    case Op::random_uniform:
    case Op::softmax:
      return {0, 1};
    default:
      return limits(type);
  }
}

}  // namespace

Range range_of(const Graph& graph, Use use) { return search(graph, use, 0); }

}  // namespace qfw::cpu

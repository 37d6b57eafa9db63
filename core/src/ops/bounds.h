#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "qfw/bounds.h"

/// Interval arithmetic for the ops' bounds rules.
namespace qfw::ops {

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// The least bounds that hold the results of a monotonic function at these four corners.
inline Bounds around(double a, double b, double c, double d) {
  return {std::min(std::min(a, b), std::min(c, d)), std::max(std::max(a, b), std::max(c, d))};
}

inline Bounds hull(Bounds a, Bounds b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

/// 0 times infinity is 0 here: infinity stands for numbers as large as one likes, and what the product of a true one would be
/// is not a number.
inline Bounds product(Bounds a, Bounds b) {
  const auto times = [](double x, double y) { return x == 0 || y == 0 ? 0 : x * y; };
  return around(times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high));
}

inline Bounds quotient(Bounds a, Bounds b) {
  if (b.low < 0 && b.high >= 0) return {};
  // Towards a divisor of 0 quotients grow without limit, towards an infinite one they vanish.
  const auto by = [](double x, double y) {
    if (std::isinf(y) || x == 0) return 0.0;
    return y == 0 ? std::copysign(infinity, x) : x / y;
  };
  return around(by(a.low, b.low), by(a.low, b.high), by(a.high, b.low), by(a.high, b.high));
}

/// A sum of many numbers, in any order and with roundings: of all but its sign nothing is said.
inline Bounds sum_of(Bounds terms) { return {terms.low < 0 ? -infinity : 0, terms.high > 0 ? infinity : 0}; }

/// Rule of ops whose elements are some of the first operand's, and of reductions to one of them.
inline Bounds bounds_of_first(const Node&, std::span<const Bounds> inputs, int) { return inputs[0]; }

/// Rule of sums over the first operand.
inline Bounds bounds_of_sum(const Node&, std::span<const Bounds> inputs, int) { return sum_of(inputs[0]); }

/// Rule of sums of products of the first two operands, padding among them.
inline Bounds bounds_of_matmul(const Node&, std::span<const Bounds> inputs, int) {
  return sum_of(product(inputs[0], inputs[1]));
}

}  // namespace qfw::ops

#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "qfw/nn.h"
#include "qfw/ops.h"

/// Ops as data: what graphs are made of. Their contracts stand with the functions of the same name in ops.h and nn.h; their
/// rules (shape, gradient, reference kernel) in op_definition.h.
namespace qfw {

// clang-format off
enum class Op : std::uint16_t {
  // sources and state
  input, variable, assign, constant, tensor, step, random_uniform,
  // elementwise; straight_through and stop_gradient are their first operand
  add, subtract, multiply, divide, minimum, maximum, negate, relu, abs, exp, log, sqrt, tanh, floor, round_even, is_finite,
  less, less_equal, equal, select, cast, straight_through, stop_gradient,
  // views
  reshape, transpose, broadcast_to,
  // reductions
  sum, reduce_max, reduce_min, moments,
  // composites: the core can expand these into the ops above
  normalize, softmax, softmax_cross_entropy,
  // matmuls and the rest
  conv2d, conv2d_grad_src, conv2d_grad_weights, dense, max_pool, max_pool_grad, all_reduce,
};
// clang-format on
inline constexpr int op_count = static_cast<int>(Op::all_reduce) + 1;

/// How an op touches memory. A backend fuses by class, never by matching patterns of ops: an elementwise node may join whatever
/// produces or consumes it; a reduction may end a fused pass, not continue one.
enum class OpClass : std::uint8_t { source, elementwise, view, reduction, composite, matmul, other };

QFW_API const char* name_of(Op op);
QFW_API OpClass class_of(Op op);

/// Of sum, reduce_max, reduce_min: the result's shape, which broadcasts to the source's. moments needs none.
struct Reduce {
  Shape to;
  bool operator==(const Reduce&) const = default;
};
/// Of constant: a number of the node's type, repeated over its shape.
struct Number {
  double value;
  bool operator==(const Number&) const = default;
};
/// Of variable, assign, input and tensor: the position in Graph::variables, Graph::inputs or Graph::tensors.
struct Slot {
  int index;
  bool operator==(const Slot&) const = default;
};
/// Of transpose: the two axes that change places.
struct Axes {
  std::array<int, 2> swap;
  bool operator==(const Axes&) const = default;
};
/// Of normalize.
struct Epsilon {
  float value;
  bool operator==(const Epsilon&) const = default;
};
/// Of random_uniform: which of a step's independent streams, made from path and name.
struct Stream {
  std::uint64_t id;
  bool operator==(const Stream&) const = default;
};
/// Of conv2d_grad_src and conv2d_grad_weights: the convolution, and the shape of what its gradient is taken of.
struct Conv2dGrad {
  Conv2d conv;
  Shape of;
  bool operator==(const Conv2dGrad&) const = default;
};

/// Conv2d serves conv2d; Pool max_pool and its gradient; Shape reshape and broadcast_to; Ties minimum and maximum; Across
/// all_reduce; DType cast.
/// A reshape in a training graph may have a second operand, which is only waited for: it is computed after that one, and is
/// still the first operand's elements.
using Attributes = std::variant<std::monostate, Conv2d, Conv2dGrad, Dense, Pool, Reduce, Number, Slot, Axes, Epsilon, Stream,
                                Shape, Ties, Across, DType>;

}  // namespace qfw

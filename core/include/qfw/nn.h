#pragma once

#include <array>
#include <optional>

#include "qfw/value.h"

/// The ops of neural networks. Everything spatial is NHWC, kernels are HWIO.
namespace qfw {

using Extent = std::array<std::int64_t, 2>;  ///< height, width

struct Padding {
  Extent low{0, 0}, high{0, 0};
  bool operator==(const Padding&) const = default;
};
/// TensorFlow's SAME: max((ceil(in / stride) - 1) * stride + kernel - in, 0) in total, the odd one at the end.
QFW_API Padding same_padding(const Shape& src, Extent kernel, Extent stride);

struct Conv2d {
  Extent stride{1, 1};
  Padding padding{};
  std::int64_t groups = 1;  ///< src channel / groups = weights' I; outputs ordered by group
  /// Whether src may be negative; left out, the core proves it from the graph (relu, max_pool, mean of those).
  std::optional<bool> src_signed{};
  bool operator==(const Conv2d&) const = default;
};
/// [N, H, W, I groups] x [h, w, I, O] -> [N, H', W', O]. In a model, a site for the quantizer; one per scope. Of (u8|s8) x s8
/// the result is s32, exact; of two floats of one dtype that dtype, accumulated in f32 or wider.
QFW_API Value conv2d(Value src, Value weights, const Conv2d& attributes = {});

struct Dense {
  std::optional<bool> src_signed{};  ///< as in Conv2d
  bool operator==(const Dense&) const = default;
};
/// [N, I] x [I, O] -> [N, O]; otherwise as conv2d.
QFW_API Value dense(Value src, Value weights, const Dense& attributes = {});

struct Pool {
  Extent window{2, 2}, stride{2, 2};
  Padding padding{};
  bool operator==(const Pool&) const = default;
};
QFW_API Value max_pool(Value x, const Pool& attributes);  ///< padding never wins; the first maximum takes the gradient

struct Moments {
  Value mean, variance;  ///< [C] each, f32 whatever x is; E[(x - mean)^2]: biased (divided by the count), 0 of equal numbers
};
/// Mean and variance over all axes but the channel. One op, so that its gradient costs no reduction of its own.
QFW_API Moments moments(Value x);
/// (x - mean) * (1 / sqrt(variance + epsilon) * gamma) + beta, per channel, computed in f32, the dtype of x. The same op in
/// training (moments of the batch) and in evaluation (running ones), so that folding and export find batch normalisation in one
/// place.
QFW_API Value normalize(Value x, const Moments& moments, Value gamma, Value beta, float epsilon);

QFW_API Value softmax_cross_entropy(Value logits, Value targets);  ///< [N, K] x [N, K] -> [N]; targets are probabilities

}  // namespace qfw

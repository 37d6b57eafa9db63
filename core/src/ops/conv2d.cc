#include <algorithm>

#include "ops/bounds.h"
#include "ops/convolution.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// Two-dimensional cross-correlation, as every framework calls convolution: [N, H, W, I groups] x [h, w, I, O] -> [N, H', W',
/// O] with H' = (H + padding - h) / stride + 1, floored. (u8|s8) x s8 gives s32, exact; two floats of one dtype that dtype,
/// accumulated here in double. Group g reads src channels g I ... and writes outputs g O / groups ... Of integers no gradient.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::conv2d, inputs, 2);
  const ConvShape shape = conv_shape(Op::conv2d, inputs[0].shape, inputs[1].shape, attribute<Conv2d>(Op::conv2d, attributes));
  const std::int64_t products = shape.kernel_height * shape.kernel_width * shape.group_in;
  return {{shape.dst(), matmul_dtype(Op::conv2d, inputs[0], inputs[1], products)}};
}

void evaluate(const Evaluation& e) {
  const ConvShape shape = conv_shape(Op::conv2d, e.inputs[0].type.shape, e.inputs[1].type.shape, e.node.as<Conv2d>());
  with_operands(e.inputs[0], e.inputs[1], [&](const auto* src, const auto* weights, auto zero) {
    using Sum = decltype(zero);
    std::vector<Sum> sums(shape.dst_channels);
    for (std::int64_t pixel = 0; pixel < shape.images * shape.dst_height * shape.dst_width; ++pixel) {
      std::fill(sums.begin(), sums.end(), zero);
      shape.for_each_tap_of(pixel, [&](std::int64_t src_pixel, std::int64_t tap) {
        for (std::int64_t channel = 0; channel < shape.src_channels; ++channel) {
          const Sum value = src[src_pixel * shape.src_channels + channel];
          const auto* row = weights + (tap * shape.group_in + channel % shape.group_in) * shape.dst_channels;
          const std::int64_t first = channel / shape.group_in * shape.group_out;
          for (std::int64_t out = first; out < first + shape.group_out; ++out) sums[out] += value * static_cast<Sum>(row[out]);
        }
      });
      store_sums(e.outputs[0], sums, pixel * shape.dst_channels);
    }
  });
}

Gradients gradient(const Differentiation& d) {
  if (!is_float(d.outputs[0].dtype())) return {std::nullopt, std::nullopt};
  const Value src = d.inputs[0], weights = d.inputs[1];
  const Value g = cast(*d.gradients[0], d.outputs[0].dtype());
  const auto& conv = d.node.as<Conv2d>();
  return {d.g.add(Op::conv2d_grad_src, {g, weights}, Conv2dGrad{conv, src.shape()}),
          d.g.add(Op::conv2d_grad_weights, {src, g}, Conv2dGrad{conv, weights.shape()})};
}

}  // namespace

OpDefinition conv2d_definition() {
  return {.op = Op::conv2d,
          .name = "conv2d",
          .op_class = OpClass::matmul,
          .doc = "convolution of NHWC images with HWIO weights",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_matmul,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value conv2d(Value src, Value weights, const Conv2d& attributes) {
  return ops::builder_of({src, weights}).add(Op::conv2d, {src, weights}, attributes);
}

Padding same_padding(const Shape& src, Extent kernel, Extent stride) {
  if (src.rank() != 4 || stride[0] < 1 || stride[1] < 1) {
    fail(Error::Category::graph, "same_padding",
         "src is " + src.str() + ", stride " + std::to_string(stride[0]) + "x" + std::to_string(stride[1]), {},
         "src must be [N, H, W, C], a stride at least 1");
  }
  Padding padding;
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t in = src[1 + axis], out = (in + stride[axis] - 1) / stride[axis];
    const std::int64_t total = std::max<std::int64_t>((out - 1) * stride[axis] + kernel[axis] - in, 0);
    padding.low[axis] = total / 2;
    padding.high[axis] = total - total / 2;
  }
  return padding;
}

}  // namespace qfw

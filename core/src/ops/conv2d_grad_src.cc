#include "ops/bounds.h"
#include "ops/convolution.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The gradient of conv2d with respect to src: (gradient of dst, weights) -> the shape in the attributes. Each output of the
/// convolution adds its gradient times the weights to the elements it was made of. Two floats of one dtype give that dtype,
/// two s8 give s32, exact. Of integers no gradient.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::conv2d_grad_src, inputs, 2);
  const auto& [conv, of] = attribute<Conv2dGrad>(Op::conv2d_grad_src, attributes);
  const ConvShape shape = conv_shape(Op::conv2d_grad_src, of, inputs[1].shape, conv);
  if (inputs[0].shape != shape.dst()) {
    refuse(Op::conv2d_grad_src, "the gradient is " + inputs[0].str() + ", the convolution gives " + shape.dst().str());
  }
  const bool integers = inputs[0].dtype == DType::s8;
  if (inputs[0].dtype != inputs[1].dtype || !(integers || is_float(inputs[0].dtype))) {
    refuse(Op::conv2d_grad_src, "the gradient is " + inputs[0].str() + ", weights are " + inputs[1].str(),
           "both must be of one float dtype, or s8");
  }
  return {{of, matmul_dtype(Op::conv2d_grad_src, inputs[0], inputs[1], shape.gradients_of_src())}};
}

void evaluate(const Evaluation& e) {
  const auto& of = e.node.as<Conv2dGrad>();
  const ConvShape shape = conv_shape(Op::conv2d_grad_src, of.of, e.inputs[1].type.shape, of.conv);
  with_operands(e.inputs[0], e.inputs[1], [&](const auto* gradients, const auto* weights, auto zero) {
    using Sum = decltype(zero);
    std::vector<Sum> sums(e.outputs[0].type.shape.count());
    for (std::int64_t pixel = 0; pixel < shape.images * shape.dst_height * shape.dst_width; ++pixel) {
      const auto* gradient = gradients + pixel * shape.dst_channels;
      shape.for_each_tap_of(pixel, [&](std::int64_t src_pixel, std::int64_t tap) {
        for (std::int64_t channel = 0; channel < shape.src_channels; ++channel) {
          const auto* row = weights + (tap * shape.group_in + channel % shape.group_in) * shape.dst_channels;
          const std::int64_t first = channel / shape.group_in * shape.group_out;
          Sum sum = 0;
          for (std::int64_t out = first; out < first + shape.group_out; ++out)
            sum += static_cast<Sum>(gradient[out]) * static_cast<Sum>(row[out]);
          sums[src_pixel * shape.src_channels + channel] += sum;
        }
      });
    }
    store_sums(e.outputs[0], sums, 0);
  });
}

Gradients gradient(const Differentiation& d) {  // linear in both operands
  if (!is_float(d.outputs[0].dtype())) return {std::nullopt, std::nullopt};
  const Value weights = d.inputs[1], g = cast(*d.gradients[0], d.outputs[0].dtype());
  const auto& conv = d.node.as<Conv2dGrad>().conv;
  return {conv2d(g, weights, conv), d.g.add(Op::conv2d_grad_weights, {g, d.inputs[0]}, Conv2dGrad{conv, weights.shape()})};
}

}  // namespace

OpDefinition conv2d_grad_src_definition() {
  return {.op = Op::conv2d_grad_src,
          .name = "conv2d_grad_src",
          .op_class = OpClass::matmul,
          .doc = "gradient of conv2d with respect to src",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_matmul,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

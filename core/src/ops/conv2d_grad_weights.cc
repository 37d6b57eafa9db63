#include "ops/bounds.h"
#include "ops/convolution.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The gradient of conv2d with respect to the weights: (src, gradient of dst), two floats of one dtype, -> the shape in the
/// attributes, always f32: it goes to master weights.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::conv2d_grad_weights, inputs, 2);
  const auto& [conv, of] = attribute<Conv2dGrad>(Op::conv2d_grad_weights, attributes);
  const ConvShape shape = conv_shape(Op::conv2d_grad_weights, inputs[0].shape, of, conv);
  if (inputs[1].shape != shape.dst()) {
    refuse(Op::conv2d_grad_weights, "the gradient is " + inputs[1].str() + ", the convolution gives " + shape.dst().str());
  }
  if (!is_float(inputs[0].dtype) || inputs[0].dtype != inputs[1].dtype) {
    refuse(Op::conv2d_grad_weights, "src is " + inputs[0].str() + ", the gradient is " + inputs[1].str(),
           "both must be of one float dtype");
  }
  return {{of, DType::f32}};
}

void evaluate(const Evaluation& e) {
  const auto& [conv, of] = e.node.as<Conv2dGrad>();
  const ConvShape shape = conv_shape(Op::conv2d_grad_weights, e.inputs[0].type.shape, of, conv);
  const Floats src(e.inputs[0]), g(e.inputs[1]);
  std::vector<double> sums(of.count());
  for (std::int64_t pixel = 0; pixel < shape.images * shape.dst_height * shape.dst_width; ++pixel) {
    const float* gradient = g.data() + pixel * shape.dst_channels;
    shape.for_each_tap_of(pixel, [&](std::int64_t src_pixel, std::int64_t tap) {
      for (std::int64_t channel = 0; channel < shape.src_channels; ++channel) {
        const double value = src[src_pixel * shape.src_channels + channel];
        double* row = sums.data() + (tap * shape.group_in + channel % shape.group_in) * shape.dst_channels;
        const std::int64_t first = channel / shape.group_in * shape.group_out;
        for (std::int64_t out = first; out < first + shape.group_out; ++out) row[out] += value * gradient[out];
      }
    });
  }
  store_sums(e.outputs[0], sums, 0);
}

Gradients gradient(const Differentiation& d) {  // linear in both operands
  const Value src = d.inputs[0], g = cast(*d.gradients[0], src.dtype());
  const auto& conv = d.node.as<Conv2dGrad>().conv;
  return {d.g.add(Op::conv2d_grad_src, {d.inputs[1], g}, Conv2dGrad{conv, src.shape()}), conv2d(src, g, conv)};
}

}  // namespace

OpDefinition conv2d_grad_weights_definition() {
  return {.op = Op::conv2d_grad_weights,
          .name = "conv2d_grad_weights",
          .op_class = OpClass::matmul,
          .doc = "gradient of conv2d with respect to the weights",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_matmul,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

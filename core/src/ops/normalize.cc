#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// (x - mean) * (1 / sqrt(variance + epsilon) * gamma) + beta, per channel, in f32, rounded to the dtype of x. A composite.
/// Ioffe & Szegedy 2015. Mean and variance are operands like others; where they are moments(x), that op's rule adds its part.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::normalize, inputs, 5);
  expect_floats(Op::normalize, inputs);
  attribute<Epsilon>(Op::normalize, attributes);
  constexpr const char* names[] = {"x", "mean", "variance", "gamma", "beta"};
  const Shape channel{inputs[0].shape.channels()};
  for (int i = 1; i < 5; ++i) {
    if (inputs[i].dtype != DType::f32 || inputs[i].shape != channel) {
      refuse(Op::normalize, "x is " + inputs[0].str() + ", " + names[i] + " is " + inputs[i].str(),
             std::string(names[i]) + " must be f32" + channel.str());
    }
  }
  return {inputs[0]};
}

Value inverse_deviation(Value variance, float epsilon) { return 1 / sqrt(variance + epsilon); }

std::vector<Value> expand(GraphBuilder&, const Node& node, std::span<const Value> inputs) {
  const Value x = cast(inputs[0], DType::f32), mean = inputs[1], variance = inputs[2], gamma = inputs[3], beta = inputs[4];
  const Value factor = inverse_deviation(variance, node.as<Epsilon>().value) * gamma;
  return {cast((x - mean) * factor + beta, node.outputs[0].dtype)};
}

// Two reductions over x's size serve all five gradients: sum(g) and sum(g * x_hat).
Gradients gradient(const Differentiation& d) {
  const Value g = cast(*d.gradients[0], DType::f32), x = cast(d.inputs[0], DType::f32);
  const Value mean = d.inputs[1], gamma = d.inputs[3];
  const Value inverse = inverse_deviation(d.inputs[2], d.node.as<Epsilon>().value), factor = inverse * gamma;
  const Value x_hat = (x - mean) * inverse;
  const Value beta_gradient = sum(g, Keep::channel), gamma_gradient = sum(g * x_hat, Keep::channel);
  const Value mean_gradient = -(beta_gradient * factor);
  const Value variance_gradient = gamma_gradient * gamma * (inverse * inverse) * -0.5;
  return {g * factor, mean_gradient, variance_gradient, gamma_gradient, beta_gradient};
}

}  // namespace

OpDefinition normalize_definition() {
  return {.op = Op::normalize,
          .name = "normalize",
          .op_class = OpClass::composite,
          .doc = "batch normalisation with given mean and variance",
          .infer = infer,
          .gradient = gradient,
          .expand = expand};
}

}  // namespace qfw::ops

namespace qfw {

Value normalize(Value x, const Moments& moments, Value gamma, Value beta, float epsilon) {
  return x.builder().add(Op::normalize, {x, moments.mean, moments.variance, gamma, beta}, Epsilon{epsilon});
}

}  // namespace qfw

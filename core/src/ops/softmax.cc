#include "ops/softmax.h"

#include "ops/bounds.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// exp(x) / sum(exp(x)) over the last axis, f32 whatever x is; the largest element is subtracted first. A composite.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes&) {
  expect_operands(Op::softmax, inputs, 1);
  expect_floats(Op::softmax, inputs);
  if (inputs[0].shape.rank() < 1) refuse(Op::softmax, "x is a scalar", "it takes [..., K]");
  return {{inputs[0].shape, DType::f32}};
}

std::vector<Value> expand(GraphBuilder&, const Node&, std::span<const Value> inputs) {
  const Value x = cast(inputs[0], DType::f32);
  const Value powers = exp(x - largest_of_row(x));
  return {powers / sum_to(powers, without_last_axis(x.shape()))};
}

Gradients gradient(const Differentiation& d) {
  const Value g = *d.gradients[0], y = d.outputs[0];
  return {y * (g - sum_to(g * y, without_last_axis(y.shape())))};
}

}  // namespace

Value largest_of_row(Value logits) {
  return logits.builder().add(Op::reduce_max, {logits}, Reduce{without_last_axis(logits.shape())});
}

Value negative_log_softmax(Value logits) {
  const Value x = cast(logits, DType::f32);
  const Value shifted = x - largest_of_row(x);
  return log(sum_to(exp(shifted), without_last_axis(x.shape()))) - shifted;
}

OpDefinition softmax_definition() {
  return {.op = Op::softmax,
          .name = "softmax",
          .op_class = OpClass::composite,
          .doc = "exp(x) / sum(exp(x)) over the last axis",
          .infer = infer,
          .gradient = gradient,
          .bounds =
              [](const Node&, std::span<const Bounds>, int) {
                return Bounds{0, 1};
              },
          .expand = expand};
}

}  // namespace qfw::ops

#include "ops/bounds.h"
#include "ops/softmax.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// -sum(targets * log(softmax(logits))) of each row: [N, K] x [N, K] -> [N], f32. Targets are probabilities and need not sum
/// to 1. A composite.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes&) {
  expect_operands(Op::softmax_cross_entropy, inputs, 2);
  expect_floats(Op::softmax_cross_entropy, inputs);
  if (inputs[0].shape.rank() != 2 || inputs[0].shape != inputs[1].shape) {
    refuse(Op::softmax_cross_entropy, "logits are " + inputs[0].str() + ", targets " + inputs[1].str(), "both must be [N, K]");
  }
  return {{{inputs[0].shape[0]}, DType::f32}};
}

std::vector<Value> expand(GraphBuilder&, const Node& node, std::span<const Value> inputs) {
  const Shape rows = without_last_axis(inputs[0].shape());
  return {reshape(sum_to(inputs[1] * negative_log_softmax(inputs[0]), rows), node.outputs[0].shape)};
}

Gradients gradient(const Differentiation& d) {
  const Value logits = d.inputs[0], targets = d.inputs[1];
  const Shape rows = without_last_axis(logits.shape());
  const Value g = reshape(*d.gradients[0], rows);
  const Value probabilities = d.g.add(Op::softmax, {logits});
  return {(probabilities * sum_to(targets, rows) - targets) * g, negative_log_softmax(logits) * g};
}

}  // namespace

OpDefinition softmax_cross_entropy_definition() {
  return {.op = Op::softmax_cross_entropy,
          .name = "softmax_cross_entropy",
          .op_class = OpClass::composite,
          .doc = "cross entropy of each row between targets and softmax(logits)",
          .infer = infer,
          .gradient = gradient,
          .bounds =
              [](const Node&, std::span<const Bounds>, int) {
                return Bounds{0, infinity};
              },
          .expand = expand};
}

}  // namespace qfw::ops

namespace qfw {

Value softmax_cross_entropy(Value logits, Value targets) {
  return logits.builder().add(Op::softmax_cross_entropy, {logits, targets});
}

}  // namespace qfw

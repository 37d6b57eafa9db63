#include "graph/builder_access.h"
#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"

/// if_true where condition != 0 (NaN counts as true), else if_false; broadcast. The result's dtype is that of the two choices.
/// No gradient to the condition.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes&) {
  expect_operands(Op::select, inputs, 3);
  expect_floats(Op::select, inputs);
  return {{broadcast_shape(Op::select, inputs), float_dtype(Op::select, inputs.subspan(1))}};
}

void evaluate(const Evaluation& e) {
  const Floats condition(e.inputs[0]), if_true(e.inputs[1]), if_false(e.inputs[2]);
  const Shape& shape = e.outputs[0].type.shape;
  const Broadcast at(e.inputs[0].type.shape, shape), at_true(e.inputs[1].type.shape, shape),
      at_false(e.inputs[2].type.shape, shape);
  fill(e.outputs[0], [&](std::int64_t i) { return condition[at(i)] != 0 ? if_true[at_true(i)] : if_false[at_false(i)]; });
}

Gradients gradient(const Differentiation& d) {
  const Value condition = d.inputs[0], g = *d.gradients[0];
  return {std::nullopt, select(condition, g, 0), select(condition, 0, g)};
}

}  // namespace

OpDefinition select_definition() {
  return {.op = Op::select,
          .name = "select",
          .op_class = OpClass::elementwise,
          .doc = "the second operand where the first is not 0, else the third",
          .infer = infer,
          .gradient = gradient,
          .bounds = [](const Node&, std::span<const Bounds> inputs, int) { return hull(inputs[1], inputs[2]); },
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value select(Value condition, Value if_true, Value if_false) {
  if (condition.is_number()) return condition.number() != 0 ? if_true : if_false;
  GraphBuilder& g = condition.builder();
  // A number takes the dtype of the other choice, not of the mask.
  const DType dtype = !if_true.is_number() ? if_true.dtype() : !if_false.is_number() ? if_false.dtype() : DType::f32;
  if (if_true.is_number()) if_true = BuilderAccess::constant(g, if_true.number(), dtype);
  if (if_false.is_number()) if_false = BuilderAccess::constant(g, if_false.number(), dtype);
  return g.add(Op::select, {condition, if_true, if_false});
}

}  // namespace qfw

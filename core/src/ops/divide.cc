#include "ops/elementwise.h"
#include "ops/table.h"

/// a / b, a true division.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto a, auto b) { return a / b; };

void evaluate(const Evaluation& e) { map_binary(e, apply); }

Gradients gradient(const Differentiation& d) {
  const Value a_gradient = *d.gradients[0] / d.inputs[1];
  return {a_gradient, -(a_gradient * d.outputs[0])};
}

}  // namespace

OpDefinition divide_definition() {
  return {.op = Op::divide,
          .name = "divide",
          .op_class = OpClass::elementwise,
          .doc = "a / b, broadcast",
          .infer = infer_floats<Op::divide, 2>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value operator/(Value a, Value b) { return ops::binary(Op::divide, a, b, ops::apply); }

}  // namespace qfw

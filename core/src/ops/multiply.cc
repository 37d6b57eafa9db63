#include "ops/elementwise.h"
#include "ops/table.h"

/// a * b.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto a, auto b) { return a * b; };

void evaluate(const Evaluation& e) { map_binary(e, apply); }

Gradients gradient(const Differentiation& d) {
  const Value g = *d.gradients[0];
  return {g * d.inputs[1], g * d.inputs[0]};
}

}  // namespace

OpDefinition multiply_definition() {
  return {.op = Op::multiply,
          .name = "multiply",
          .op_class = OpClass::elementwise,
          .doc = "a * b, broadcast",
          .infer = infer_floats<Op::multiply, 2>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value operator*(Value a, Value b) { return ops::binary(Op::multiply, a, b, ops::apply); }

}  // namespace qfw

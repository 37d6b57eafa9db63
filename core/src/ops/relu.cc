#include "ops/elementwise.h"
#include "ops/table.h"

/// max(x, 0); NaN stays NaN. Gradient 0 at 0. The rule looks at the result, which is kept for the next layer anyway.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return x <= 0 ? decltype(x)(0) : x; };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {select(d.outputs[0] > 0, *d.gradients[0], 0)}; }

}  // namespace

OpDefinition relu_definition() {
  return {.op = Op::relu,
          .name = "relu",
          .op_class = OpClass::elementwise,
          .doc = "max(x, 0)",
          .infer = infer_floats<Op::relu, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value relu(Value x) { return ops::unary(Op::relu, x, ops::apply); }

}  // namespace qfw

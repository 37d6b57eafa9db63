#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// |x|. Gradient 0 at 0.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return std::abs(x); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) {
  const Value g = *d.gradients[0];
  return {select(d.inputs[0] > 0, g, select(d.inputs[0] < 0, -g, 0))};
}

}  // namespace

OpDefinition abs_definition() {
  return {.op = Op::abs,
          .name = "abs",
          .op_class = OpClass::elementwise,
          .doc = "|x|",
          .infer = infer_floats<Op::abs, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value abs(Value x) { return ops::unary(Op::abs, x, ops::apply); }

}  // namespace qfw

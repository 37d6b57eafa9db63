#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// Square root, correctly rounded: NaN below 0.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return std::sqrt(x); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {*d.gradients[0] * 0.5 / d.outputs[0]}; }

}  // namespace

OpDefinition sqrt_definition() {
  return {.op = Op::sqrt,
          .name = "sqrt",
          .op_class = OpClass::elementwise,
          .doc = "square root",
          .infer = infer_floats<Op::sqrt, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value sqrt(Value x) { return ops::unary(Op::sqrt, x, ops::apply); }

}  // namespace qfw

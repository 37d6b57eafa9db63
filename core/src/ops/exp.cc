#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// e^x, correctly rounded but for rare cases (computed in double).
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return static_cast<decltype(x)>(std::exp(static_cast<double>(x))); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {*d.gradients[0] * d.outputs[0]}; }

}  // namespace

OpDefinition exp_definition() {
  return {.op = Op::exp,
          .name = "exp",
          .op_class = OpClass::elementwise,
          .doc = "e to the power x",
          .infer = infer_floats<Op::exp, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value exp(Value x) { return ops::unary(Op::exp, x, ops::apply); }

}  // namespace qfw

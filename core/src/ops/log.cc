#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// Natural logarithm (computed in double): -infinity at 0, NaN below.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return static_cast<decltype(x)>(std::log(static_cast<double>(x))); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {*d.gradients[0] / d.inputs[0]}; }

}  // namespace

OpDefinition log_definition() {
  return {.op = Op::log,
          .name = "log",
          .op_class = OpClass::elementwise,
          .doc = "natural logarithm",
          .infer = infer_floats<Op::log, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value log(Value x) { return ops::unary(Op::log, x, ops::apply); }

}  // namespace qfw

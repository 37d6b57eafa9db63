#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// Hyperbolic tangent (computed in double).
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return static_cast<decltype(x)>(std::tanh(static_cast<double>(x))); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {*d.gradients[0] * (1 - d.outputs[0] * d.outputs[0])}; }

}  // namespace

OpDefinition tanh_definition() {
  return {.op = Op::tanh,
          .name = "tanh",
          .op_class = OpClass::elementwise,
          .doc = "hyperbolic tangent",
          .infer = infer_floats<Op::tanh, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value tanh(Value x) { return ops::unary(Op::tanh, x, ops::apply); }

}  // namespace qfw

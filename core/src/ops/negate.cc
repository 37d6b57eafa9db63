#include "ops/elementwise.h"
#include "ops/table.h"

/// -x.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return -x; };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

Gradients gradient(const Differentiation& d) { return {-*d.gradients[0]}; }

}  // namespace

OpDefinition negate_definition() {
  return {.op = Op::negate,
          .name = "negate",
          .op_class = OpClass::elementwise,
          .doc = "-x",
          .infer = infer_floats<Op::negate, 1>,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value operator-(Value x) { return ops::unary(Op::negate, x, ops::apply); }

}  // namespace qfw

#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"
#include "ops/ties.h"

/// The smaller of a and b; NaN if either is. Where they are equal, Ties decides: half gives either operand half of the
/// gradient, pass gives all to the first, block gives none to either.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto a, auto b) { return a < b || std::isnan(a) ? a : b; };

void evaluate(const Evaluation& e) { map_binary(e, apply); }

Gradients gradient(const Differentiation& d) {
  const Value a = d.inputs[0], b = d.inputs[1];
  return gradients_of_chosen(*d.gradients[0], a < b, b < a, d.node.as<Ties>());
}

Types infer(Inputs inputs, const Attributes& attributes) {
  Types types = infer_floats<Op::minimum, 2>(inputs, attributes);
  attribute<Ties>(Op::minimum, attributes);
  return types;
}

}  // namespace

OpDefinition minimum_definition() {
  return {.op = Op::minimum,
          .name = "minimum",
          .op_class = OpClass::elementwise,
          .doc = "the smaller of a and b, broadcast",
          .infer = infer,
          .gradient = gradient,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value minimum(Value a, Value b, Ties ties) { return ops::binary(Op::minimum, a, b, ops::apply, ties); }

}  // namespace qfw

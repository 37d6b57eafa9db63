#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The same elements in row-major order under another shape of the same count. Any dtype. A second operand, of any type, is
/// only waited for: what reads the result is computed after it. The core's passes give one (passes/recompute.h); no gradient
/// flows to it.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  if (inputs.size() != 2) expect_operands(Op::reshape, inputs, 1);
  const Shape& to = attribute<Shape>(Op::reshape, attributes);
  if (to.count() != inputs[0].shape.count()) {
    refuse(Op::reshape,
           inputs[0].shape.str() + " has " + std::to_string(inputs[0].shape.count()) + " elements, " + to.str() + " has " +
               std::to_string(to.count()),
           "choose a shape of the same count");
  }
  return {{to, inputs[0].dtype}};
}

Gradients gradient(const Differentiation& d) {
  Gradients gradients(d.inputs.size());
  gradients[0] = reshape(*d.gradients[0], d.inputs[0].shape());
  return gradients;
}

}  // namespace

OpDefinition reshape_definition() {
  return {.op = Op::reshape,
          .name = "reshape",
          .op_class = OpClass::view,
          .doc = "the same elements under another shape",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .cost = 0,
          .exact = true,
          .evaluate = copy_first_operand};
}

}  // namespace qfw::ops

namespace qfw {

Value reshape(Value x, Shape to) { return x.shape() == to && !x.is_number() ? x : x.builder().add(Op::reshape, {x}, to); }

}  // namespace qfw

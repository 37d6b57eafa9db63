#include "graph/builder_access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"

/// Forward its first operand, backward the whole gradient to its second, of the same shape; the dtypes may differ. The core
/// removes it from finished graphs.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes&) {
  expect_operands(Op::straight_through, inputs, 2);
  if (inputs[0].shape != inputs[1].shape) {
    refuse(Op::straight_through, "value is " + inputs[0].str() + ", surrogate is " + inputs[1].str() + ": shapes differ",
           "broadcast_to() one of them");
  }
  return {inputs[0]};
}

Gradients gradient(const Differentiation& d) { return {std::nullopt, d.gradients[0]}; }

}  // namespace

OpDefinition straight_through_definition() {
  return {.op = Op::straight_through,
          .name = "straight_through",
          .op_class = OpClass::elementwise,
          .doc = "the first operand; the gradient goes to the second",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .exact = true,
          .evaluate = copy_first_operand};
}

}  // namespace qfw::ops

namespace qfw {

Value straight_through(Value value, Value surrogate) {
  if (surrogate.is_number()) return stop_gradient(value);
  if (value.is_number()) {
    const DType dtype = is_float(surrogate.dtype()) ? surrogate.dtype() : DType::f32;
    value = BuilderAccess::constant(surrogate.builder(), value.number(), dtype, Shape(surrogate.shape()));
  }
  return surrogate.builder().add(Op::straight_through, {value, surrogate});
}

}  // namespace qfw

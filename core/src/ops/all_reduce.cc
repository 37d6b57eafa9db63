#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// Sum or mean of an f32 tensor over all replicas, the same bits on each; x itself when there is one. Backends ask the
/// communicator. The gradient of a replica's x is the same reduction of all replicas' gradients.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::all_reduce, inputs, 1);
  attribute<Across>(Op::all_reduce, attributes);
  if (inputs[0].dtype != DType::f32) refuse(Op::all_reduce, "x is " + inputs[0].str(), "it takes f32; cast it first");
  return {inputs[0]};
}

Gradients gradient(const Differentiation& d) { return {all_reduce(cast(*d.gradients[0], DType::f32), d.node.as<Across>())}; }

}  // namespace

OpDefinition all_reduce_definition() {
  return {.op = Op::all_reduce,
          .name = "all_reduce",
          .op_class = OpClass::other,
          .doc = "sum or mean over all replicas",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_sum};
}

}  // namespace qfw::ops

namespace qfw {

Value all_reduce(Value x, Across how) {
  if (x.is_number() && how == Across::mean) return x;  // the same number everywhere
  return x.builder().add(Op::all_reduce, {x}, how);
}

}  // namespace qfw

#include <cstring>

#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// x repeated along the axes where its extent is 1 or missing. Any dtype.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::broadcast_to, inputs, 1);
  const Shape& to = attribute<Shape>(Op::broadcast_to, attributes);
  if (!broadcasts_to(inputs[0].shape, to)) {
    refuse(Op::broadcast_to, inputs[0].shape.str() + " does not broadcast to " + to.str(),
           "from the last axis on, its extents must be equal or 1");
  }
  return {{to, inputs[0].dtype}};
}

void evaluate(const Evaluation& e) {
  const Shape& to = e.outputs[0].type.shape;
  const Broadcast at(e.inputs[0].type.shape, to);
  const std::size_t size = size_of(e.outputs[0].type.dtype);
  std::byte* out = e.outputs[0].bytes.data();
  for (std::int64_t i = 0; i < to.count(); ++i) std::memcpy(out + i * size, e.inputs[0].bytes.data() + at(i) * size, size);
}

Gradients gradient(const Differentiation& d) { return {d.gradients[0]}; }  // the pass sums it down

}  // namespace

OpDefinition broadcast_to_definition() {
  return {.op = Op::broadcast_to,
          .name = "broadcast_to",
          .op_class = OpClass::view,
          .doc = "x repeated to a larger shape",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .cost = 0,
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

// A plain number stretches to whatever it meets.
Value broadcast_to(Value x, Shape to) {
  return x.is_number() || x.shape() == to ? x : x.builder().add(Op::broadcast_to, {x}, to);
}

}  // namespace qfw

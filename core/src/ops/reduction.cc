#include "ops/reduction.h"

#include <cmath>
#include <limits>

#include "ops/access.h"
#include "qfw/builder.h"

namespace qfw::ops {

Types infer_reduction(Op op, Inputs inputs, const Attributes& attributes) {
  expect_operands(op, inputs, 1);
  expect_floats(op, inputs);
  const Shape& to = attribute<Reduce>(op, attributes).to;
  if (!broadcasts_to(to, inputs[0].shape)) {
    refuse(op, inputs[0].shape.str() + " cannot be reduced to " + to.str(), "the result must broadcast back to the operand");
  }
  if (op != Op::sum && inputs[0].shape.count() == 0) refuse(op, inputs[0].shape.str() + " has no elements");
  return {{to, DType::f32}};
}

Value reduce(Op op, Value x, Shape to) {
  if (x.is_number()) return x;
  return x.shape() == to ? cast(x, DType::f32) : x.builder().add(op, {x}, Reduce{to});
}

Shape kept(const Value& x, Keep keep) {
  return keep == Keep::nothing || x.shape().rank() == 0 ? Shape{} : Shape{x.shape().channels()};
}

void evaluate_extreme(const Evaluation& e, bool largest) {
  const Floats x(e.inputs[0]);
  const auto out = e.outputs[0].as<float>();
  const Broadcast at(e.outputs[0].type.shape, e.inputs[0].type.shape);
  const float start = std::numeric_limits<float>::infinity();
  std::fill(out.begin(), out.end(), largest ? -start : start);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    float& best = out[at(i)];
    if (std::isnan(x[i]) || (largest ? x[i] > best : x[i] < best)) best = x[i];
  }
}

Gradients gradient_of_extreme(const Differentiation& d) {
  const Value mask = equal(d.inputs[0], d.outputs[0]);
  return {mask * (*d.gradients[0] / sum_to(mask, d.outputs[0].shape()))};
}

}  // namespace qfw::ops

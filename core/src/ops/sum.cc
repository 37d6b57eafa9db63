#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/reduction.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The sum of floats, in f32 whatever they are. Here in double and index order; backends order it as they like, always the
/// same.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) { return infer_reduction(Op::sum, inputs, attributes); }

void evaluate(const Evaluation& e) {
  const Floats x(e.inputs[0]);
  const Broadcast at(e.outputs[0].type.shape, e.inputs[0].type.shape);
  std::vector<double> sums(e.outputs[0].type.shape.count());
  for (std::int64_t i = 0; i < x.size(); ++i) sums[at(i)] += x[i];
  fill(e.outputs[0], [&](std::int64_t i) { return sums[i]; });
}

Gradients gradient(const Differentiation& d) { return {broadcast_to(*d.gradients[0], d.inputs[0].shape())}; }

}  // namespace

OpDefinition sum_definition() {
  return {.op = Op::sum,
          .name = "sum",
          .op_class = OpClass::reduction,
          .doc = "the sum, in f32, down to a shape that broadcasts back",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_sum,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value sum(Value x, Keep keep) { return ops::reduce(Op::sum, x, ops::kept(x, keep)); }
Value sum_to(Value x, Shape to) { return ops::reduce(Op::sum, x, to); }

}  // namespace qfw

#include "ops/bounds.h"
#include "ops/reduction.h"
#include "ops/table.h"

/// The largest element, in f32 whatever they are; NaN if there is one. Elements that tie share the gradient evenly.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) { return infer_reduction(Op::reduce_max, inputs, attributes); }

void evaluate(const Evaluation& e) { evaluate_extreme(e, true); }

}  // namespace

OpDefinition reduce_max_definition() {
  return {.op = Op::reduce_max,
          .name = "reduce_max",
          .op_class = OpClass::reduction,
          .doc = "the largest element, down to a shape that broadcasts back",
          .infer = infer,
          .gradient = gradient_of_extreme,
          .bounds = bounds_of_first,
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value reduce_max(Value x, Keep keep) { return ops::reduce(Op::reduce_max, x, ops::kept(x, keep)); }

}  // namespace qfw

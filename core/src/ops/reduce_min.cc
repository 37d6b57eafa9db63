#include "ops/bounds.h"
#include "ops/reduction.h"
#include "ops/table.h"

/// The smallest element, in f32 whatever they are; NaN if there is one. Elements that tie share the gradient evenly.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) { return infer_reduction(Op::reduce_min, inputs, attributes); }

void evaluate(const Evaluation& e) { evaluate_extreme(e, false); }

}  // namespace

OpDefinition reduce_min_definition() {
  return {.op = Op::reduce_min,
          .name = "reduce_min",
          .op_class = OpClass::reduction,
          .doc = "the smallest element, down to a shape that broadcasts back",
          .infer = infer,
          .gradient = gradient_of_extreme,
          .bounds = bounds_of_first,
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value reduce_min(Value x, Keep keep) { return ops::reduce(Op::reduce_min, x, ops::kept(x, keep)); }

}  // namespace qfw

#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// x, through which no gradient flows. The core removes it from finished graphs.
namespace qfw::ops {

OpDefinition stop_gradient_definition() {
  return {.op = Op::stop_gradient,
          .name = "stop_gradient",
          .op_class = OpClass::elementwise,
          .doc = "x without its gradient",
          .infer = infer_same<Op::stop_gradient>,
          .no_gradient = true,
          .bounds = bounds_of_first,
          .exact = true,
          .evaluate = copy_first_operand};
}

}  // namespace qfw::ops

namespace qfw {

Value stop_gradient(Value x) { return x.is_number() ? x : x.builder().add(Op::stop_gradient, {x}); }

}  // namespace qfw

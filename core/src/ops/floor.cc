#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// The largest whole number not above x. Its gradient is 0: floor_ste passes one.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return std::floor(x); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

}  // namespace

OpDefinition floor_definition() {
  return {.op = Op::floor,
          .name = "floor",
          .op_class = OpClass::elementwise,
          .doc = "largest whole number not above x",
          .infer = infer_floats<Op::floor, 1>,
          .gradient = nullptr,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value floor(Value x) { return ops::unary(Op::floor, x, ops::apply); }

}  // namespace qfw

#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// The nearest whole number, halves to the even neighbour. Its gradient is 0: round_even_ste passes one.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return std::nearbyint(x); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

}  // namespace

OpDefinition round_even_definition() {
  return {.op = Op::round_even,
          .name = "round_even",
          .op_class = OpClass::elementwise,
          .doc = "nearest whole number, halves to even",
          .infer = infer_floats<Op::round_even, 1>,
          .gradient = nullptr,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value round_even(Value x) { return ops::unary(Op::round_even, x, ops::apply); }

}  // namespace qfw

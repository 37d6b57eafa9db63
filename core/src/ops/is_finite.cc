#include <cmath>

#include "ops/elementwise.h"
#include "ops/table.h"

/// 1 where x is neither infinite nor NaN, else 0; f32. No gradient.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto x) { return decltype(x)(std::isfinite(x) ? 1 : 0); };

void evaluate(const Evaluation& e) { map_unary(e, apply); }

}  // namespace

OpDefinition is_finite_definition() {
  return {.op = Op::is_finite,
          .name = "is_finite",
          .op_class = OpClass::elementwise,
          .doc = "1 where x is finite, else 0",
          .infer = infer_mask<Op::is_finite, 1>,
          .gradient = nullptr,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value is_finite(Value x) { return ops::unary(Op::is_finite, x, ops::apply); }

}  // namespace qfw

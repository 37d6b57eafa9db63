#include "ops/elementwise.h"
#include "ops/table.h"

/// 1 where a == b, else 0; f32. Comparisons with NaN are 0. No gradient.
namespace qfw::ops {
namespace {

constexpr auto apply = [](auto a, auto b) { return decltype(a)(a == b ? 1 : 0); };

void evaluate(const Evaluation& e) { map_binary(e, apply); }

}  // namespace

OpDefinition equal_definition() {
  return {.op = Op::equal,
          .name = "equal",
          .op_class = OpClass::elementwise,
          .doc = "1 where a == b, else 0",
          .infer = infer_mask<Op::equal, 2>,
          .gradient = nullptr,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value equal(Value a, Value b) { return ops::binary(Op::equal, a, b, ops::apply); }

}  // namespace qfw

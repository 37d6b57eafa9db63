#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/pooling.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The largest element of each window of each channel. Padding never wins: no window lies wholly in it. The gradient goes to
/// the first maximum in row-major order.
namespace qfw::ops {

PoolShape pool_shape(Op op, const Shape& x, const Pool& pool) {
  if (x.rank() != 4) refuse(op, "x is " + x.str(), "it takes images [N, H, W, C]");
  Extent dst{};
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t low = pool.padding.low[axis], high = pool.padding.high[axis], window = pool.window[axis];
    if (window < 1 || pool.stride[axis] < 1 || low < 0 || high < 0 || low >= window || high >= window) {
      refuse(op,
             "window " + std::to_string(window) + ", stride " + std::to_string(pool.stride[axis]) + ", padding " +
                 std::to_string(low) + " and " + std::to_string(high),
             "window and stride are at least 1, paddings less than the window");
    }
    const std::int64_t padded = x[1 + axis] + low + high;
    if (padded < window || x[1 + axis] < 1) {
      refuse(op, std::string(axis == 0 ? "height " : "width ") + std::to_string(x[1 + axis]) + ", padded to " +
                     std::to_string(padded) + ", is less than the window's " + std::to_string(window));
    }
    dst[axis] = (padded - window) / pool.stride[axis] + 1;
  }
  return {x[0], x[1], x[2], x[3], dst[0], dst[1], pool};
}

namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::max_pool, inputs, 1);
  expect_floats(Op::max_pool, inputs);
  return {{pool_shape(Op::max_pool, inputs[0].shape, attribute<Pool>(Op::max_pool, attributes)).dst(), inputs[0].dtype}};
}

void evaluate(const Evaluation& e) {
  const Floats x(e.inputs[0]);
  std::vector<float> largest(e.outputs[0].type.shape.count());
  pool_shape(Op::max_pool, e.inputs[0].type.shape, e.node.as<Pool>()).for_each(x, [&](std::int64_t i, std::int64_t at) {
    largest[i] = x[at];
  });
  fill(e.outputs[0], [&](std::int64_t i) { return largest[i]; });
}

Gradients gradient(const Differentiation& d) {
  const Value x = d.inputs[0];
  return {d.g.add(Op::max_pool_grad, {x, cast(*d.gradients[0], x.dtype())}, d.node.as<Pool>())};
}

}  // namespace

OpDefinition max_pool_definition() {
  return {.op = Op::max_pool,
          .name = "max_pool",
          .op_class = OpClass::other,
          .doc = "the largest element of each window",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value max_pool(Value x, const Pool& attributes) { return x.builder().add(Op::max_pool, {x}, attributes); }

}  // namespace qfw

#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/pooling.h"
#include "ops/table.h"

/// The gradient of max_pool: (x, gradient of the result), of one dtype, -> the type of x. Each output's gradient is added to
/// the first maximum of its window.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::max_pool_grad, inputs, 2);
  expect_floats(Op::max_pool_grad, inputs);
  const Shape dst = pool_shape(Op::max_pool_grad, inputs[0].shape, attribute<Pool>(Op::max_pool_grad, attributes)).dst();
  if (inputs[1] != TensorType{dst, inputs[0].dtype}) {
    refuse(Op::max_pool_grad, "x is " + inputs[0].str() + ", the gradient is " + inputs[1].str(),
           "the gradient must be " + TensorType{dst, inputs[0].dtype}.str());
  }
  return {inputs[0]};
}

void evaluate(const Evaluation& e) {
  const Floats x(e.inputs[0]), g(e.inputs[1]);
  std::vector<double> sums(x.size());
  pool_shape(Op::max_pool_grad, e.inputs[0].type.shape, e.node.as<Pool>()).for_each(x, [&](std::int64_t i, std::int64_t at) {
    sums[at] += g[i];
  });
  fill(e.outputs[0], [&](std::int64_t i) { return sums[i]; });
}

}  // namespace

OpDefinition max_pool_grad_definition() {
  return {.op = Op::max_pool_grad,
          .name = "max_pool_grad",
          .op_class = OpClass::other,
          .doc = "gradient of max_pool",
          .infer = infer,
          .bounds = [](const Node&, std::span<const Bounds> inputs, int) { return sum_of(inputs[1]); },
          .evaluate = evaluate};
}

}  // namespace qfw::ops

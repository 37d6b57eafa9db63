#include <algorithm>

#include "ops/bounds.h"
#include "ops/convolution.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// The matrix product [N, I] x [I, O] -> [N, O]. (u8|s8) x s8 gives s32, exact; two floats of one dtype that dtype, accumulated
/// here in double. Of integers no gradient; the weights' gradient is formed in f32, as that of conv2d.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::dense, inputs, 2);
  attribute<Dense>(Op::dense, attributes);
  const Shape &src = inputs[0].shape, &weights = inputs[1].shape;
  if (src.rank() != 2 || weights.rank() != 2) {
    refuse(Op::dense, "src is " + src.str() + ", weights are " + weights.str(), "they must be [N, I] and [I, O]");
  }
  if (src[1] != weights[0]) {
    refuse(Op::dense, "src has " + std::to_string(src[1]) + " channels, weights expect " + std::to_string(weights[0]),
           "src is " + src.str() + ", weights are " + weights.str());
  }
  return {{{src[0], weights[1]}, matmul_dtype(Op::dense, inputs[0], inputs[1], src[1])}};
}

void evaluate(const Evaluation& e) {
  const std::int64_t rows = e.inputs[0].type.shape[0], depth = e.inputs[0].type.shape[1], columns = e.inputs[1].type.shape[1];
  with_operands(e.inputs[0], e.inputs[1], [&](const auto* src, const auto* weights, auto zero) {
    using Sum = decltype(zero);
    std::vector<Sum> sums(columns);
    for (std::int64_t row = 0; row < rows; ++row) {
      std::fill(sums.begin(), sums.end(), zero);
      for (std::int64_t k = 0; k < depth; ++k) {
        const Sum value = src[row * depth + k];
        for (std::int64_t out = 0; out < columns; ++out) sums[out] += value * static_cast<Sum>(weights[k * columns + out]);
      }
      store_sums(e.outputs[0], sums, row * columns);
    }
  });
}

Gradients gradient(const Differentiation& d) {
  if (!is_float(d.outputs[0].dtype())) return {std::nullopt, std::nullopt};
  const Value src = d.inputs[0], weights = d.inputs[1];
  const Value g = cast(*d.gradients[0], d.outputs[0].dtype());
  return {dense(g, transpose(weights, {0, 1})), dense(transpose(cast(src, DType::f32), {0, 1}), cast(g, DType::f32))};
}

}  // namespace

OpDefinition dense_definition() {
  return {.op = Op::dense,
          .name = "dense",
          .op_class = OpClass::matmul,
          .doc = "matrix product",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_matmul,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value dense(Value src, Value weights, const Dense& attributes) {
  return ops::builder_of({src, weights}).add(Op::dense, {src, weights}, attributes);
}

}  // namespace qfw

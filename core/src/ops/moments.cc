#include <algorithm>
#include <cmath>

#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// Mean and biased variance over all axes but the last: [C] each, f32 whatever x is. The variance is E[(x - E[x])^2]. One op,
/// so that its gradient needs no reduction: d mean / d x = 1 / N, d variance / d x = 2 (x - mean) / N.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes&) {
  expect_operands(Op::moments, inputs, 1);
  expect_floats(Op::moments, inputs);
  if (inputs[0].shape.rank() < 2 || inputs[0].shape.count() == 0) {
    refuse(Op::moments, "x is " + inputs[0].str(), "it takes [..., C] with at least one element per channel");
  }
  const TensorType per_channel{{inputs[0].shape.channels()}, DType::f32};
  return {per_channel, per_channel};
}

/// Around the first element of each channel, so that the variance of equal numbers is 0 and large means cost no digits.
void evaluate(const Evaluation& e) {
  const Floats x(e.inputs[0]);
  const std::int64_t channels = e.inputs[0].type.shape.channels();
  const auto count = static_cast<double>(x.size() / channels);
  std::vector<double> sums(channels), squares(channels), pivots(channels);
  for (std::int64_t c = 0; c < channels; ++c) pivots[c] = std::isfinite(x[c]) ? x[c] : 0;
  for (std::int64_t i = 0; i < x.size(); i += channels) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double value = static_cast<double>(x[i + c]) - pivots[c];
      sums[c] += value;
      squares[c] += value * value;
    }
  }
  fill(e.outputs[0], [&](std::int64_t c) { return pivots[c] + sums[c] / count; });
  fill(e.outputs[1], [&](std::int64_t c) {
    const double variance = (squares[c] - sums[c] * sums[c] / count) / count;
    return variance < 0 ? 0 : variance;  // NaN stays
  });
}

Gradients gradient(const Differentiation& d) {
  const Value x = d.inputs[0], mean = d.outputs[0];
  const double count = static_cast<double>(x.shape().count() / x.shape().channels());
  std::optional<Value> result;
  if (d.gradients[1]) result = (*d.gradients[1] * (2 / count)) * (x - mean);
  if (d.gradients[0]) {
    const Value through_mean = *d.gradients[0] * (1 / count);
    result = result ? *result + through_mean : broadcast_to(through_mean, x.shape());
  }
  return {result};
}

/// The mean of sums that were rounded is only known by its sign.
Bounds bounds(const Node&, std::span<const Bounds> inputs, int output) {
  return output == 0 ? sum_of(inputs[0]) : Bounds{0, infinity};
}

}  // namespace

OpDefinition moments_definition() {
  return {.op = Op::moments,
          .name = "moments",
          .op_class = OpClass::reduction,
          .doc = "mean and biased variance per channel, in f32",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Moments moments(Value x) {
  const Value mean = x.builder().add(Op::moments, {x});
  return {mean, Value(mean.builder(), mean.node(), 1)};
}

}  // namespace qfw

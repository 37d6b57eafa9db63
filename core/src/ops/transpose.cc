#include <array>
#include <cstring>
#include <utility>

#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// x with two axes in each other's place. Any dtype.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::transpose, inputs, 1);
  const Shape& shape = inputs[0].shape;
  const auto [first, second] = attribute<Axes>(Op::transpose, attributes).swap;
  if (first < 0 || second < 0 || first >= shape.rank() || second >= shape.rank()) {
    refuse(Op::transpose, "axes " + std::to_string(first) + " and " + std::to_string(second) + " of " + shape.str(),
           "axes count from 0 and lie below the rank");
  }
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  std::swap(extents[first], extents[second]);
  return {{Shape(std::span<const std::int64_t>(extents.data(), shape.rank())), inputs[0].dtype}};
}

void evaluate(const Evaluation& e) {
  const Shape &from = e.inputs[0].type.shape, &to = e.outputs[0].type.shape;
  const auto [first, second] = e.node.as<Axes>().swap;
  std::array<std::int64_t, Shape::max_rank> strides{};
  std::int64_t stride = 1;
  for (int axis = from.rank() - 1; axis >= 0; --axis) strides[axis] = stride, stride *= from[axis];
  std::swap(strides[first], strides[second]);

  const std::size_t size = size_of(e.outputs[0].type.dtype);
  std::byte* out = e.outputs[0].bytes.data();
  for (std::int64_t i = 0; i < to.count(); ++i) {
    std::int64_t at = 0, rest = i;
    for (int axis = to.rank() - 1; axis >= 0; --axis) at += rest % to[axis] * strides[axis], rest /= to[axis];
    std::memcpy(out + i * size, e.inputs[0].bytes.data() + at * size, size);
  }
}

Gradients gradient(const Differentiation& d) { return {transpose(*d.gradients[0], d.node.as<Axes>().swap)}; }

}  // namespace

OpDefinition transpose_definition() {
  return {.op = Op::transpose,
          .name = "transpose",
          .op_class = OpClass::view,
          .doc = "x with two axes swapped",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .cost = 0,
          .exact = true,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

Value transpose(Value x, std::array<int, 2> axes) { return x.builder().add(Op::transpose, {x}, Axes{axes}); }

}  // namespace qfw

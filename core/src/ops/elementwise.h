#pragma once

#include <cmath>

#include "ops/access.h"
#include "ops/support.h"
#include "qfw/builder.h"

/// What the elementwise ops share. Their functions are written once, over float for the kernel (each op rounds once, in float)
/// and over double for plain numbers, which fold without a node.
namespace qfw::ops {

/// Shape rule: floats broadcast; f32 unless all are bf16.
template <Op op, std::size_t operands>
Types infer_floats(Inputs inputs, const Attributes&) {
  expect_operands(op, inputs, operands);
  const DType dtype = float_dtype(op, inputs);
  return {{broadcast_shape(op, inputs), dtype}};
}

/// Shape rule of comparisons: floats broadcast; the result is f32.
template <Op op, std::size_t operands>
Types infer_mask(Inputs inputs, const Attributes&) {
  expect_operands(op, inputs, operands);
  expect_floats(op, inputs);
  return {{broadcast_shape(op, inputs), DType::f32}};
}

template <class F>
void map_unary(const Evaluation& e, F f) {
  const Floats x(e.inputs[0]);
  fill(e.outputs[0], [&](std::int64_t i) { return f(x[i]); });
}

template <class F>
void map_binary(const Evaluation& e, F f) {
  const Floats a(e.inputs[0]), b(e.inputs[1]);
  const Shape& shape = e.outputs[0].type.shape;
  const Broadcast at_a(e.inputs[0].type.shape, shape), at_b(e.inputs[1].type.shape, shape);
  fill(e.outputs[0], [&](std::int64_t i) { return f(a[at_a(i)], b[at_b(i)]); });
}

template <class F>
Value unary(Op op, Value x, F f) {
  return x.is_number() ? Value(f(x.number())) : x.builder().add(op, {x});
}

template <class F>
Value binary(Op op, Value a, Value b, F f, Attributes attributes = {}) {
  if (a.is_number() && b.is_number()) return f(a.number(), b.number());
  return builder_of({a, b}).add(op, {a, b}, std::move(attributes));
}

}  // namespace qfw::ops

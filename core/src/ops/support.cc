#include "ops/support.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "qfw/builder.h"

namespace qfw::ops {

void refuse(Op op, const std::string& what, const std::string& remedy) {
  fail(Error::Category::graph, name_of(op), what, {}, remedy);
}

void expect_operands(Op op, Inputs inputs, std::size_t count) {
  if (inputs.size() != count) {
    refuse(op, "takes " + std::to_string(count) + " operands, was given " + std::to_string(inputs.size()));
  }
}

void expect_floats(Op op, Inputs inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!is_float(inputs[i].dtype)) {
      refuse(op, "takes floats, operand " + std::to_string(i) + " is " + inputs[i].str(), "cast it first");
    }
  }
}

DType float_dtype(Op op, Inputs inputs) {
  expect_floats(op, inputs);
  const auto is_the_first = [&](const TensorType& type) { return type.dtype == inputs[0].dtype; };
  return std::all_of(inputs.begin(), inputs.end(), is_the_first) ? inputs[0].dtype : DType::f32;
}

Shape broadcast_shape(Op op, Inputs inputs) {
  Shape shape;
  for (const TensorType& input : inputs) {
    try {
      shape = broadcast(shape, input.shape);
    } catch (const Error&) {
      refuse(op, "operands " + shape.str() + " and " + input.shape.str() + " do not match from the last axis on",
             "extents must be equal or 1; reshape one of them");
    }
  }
  return shape;
}

bool broadcasts_to(const Shape& narrow, const Shape& wide) {
  if (narrow.rank() > wide.rank()) return false;
  for (int back = 1; back <= narrow.rank(); ++back) {
    if (narrow[-back] != 1 && narrow[-back] != wide[-back]) return false;
  }
  return true;
}

GraphBuilder& builder_of(std::initializer_list<Value> values) {
  for (const Value& value : values) {
    if (!value.is_number()) return value.builder();
  }
  return values.begin()->builder();
}

Shape without_last_axis(const Shape& x) {
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::copy(x.begin(), x.end(), extents.begin());
  if (x.rank() > 0) extents[x.rank() - 1] = 1;
  return Shape(std::span<const std::int64_t>(extents.data(), x.rank()));
}

void copy_first_operand(const Evaluation& e) {
  if (!e.inputs[0].bytes.empty()) std::memcpy(e.outputs[0].bytes.data(), e.inputs[0].bytes.data(), e.outputs[0].bytes.size());
}

}  // namespace qfw::ops

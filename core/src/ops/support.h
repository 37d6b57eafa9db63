#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qfw/error.h"
#include "qfw/op_definition.h"

/// What the shape rules of all ops share. Messages carry the op's name; the builder adds the layer.
namespace qfw::ops {

using Types = std::vector<TensorType>;
using Inputs = std::span<const TensorType>;
using Gradients = std::vector<std::optional<Value>>;

/// Throws a graph error that names the op.
[[noreturn]] void refuse(Op op, const std::string& what, const std::string& remedy = {});

void expect_operands(Op op, Inputs inputs, std::size_t count);
void expect_floats(Op op, Inputs inputs);

/// The dtype of all operands where it is one, else f32. Throws for integers.
DType float_dtype(Op op, Inputs inputs);

/// The shape all operands meet in.
Shape broadcast_shape(Op op, Inputs inputs);

/// Whether a tensor of shape `narrow` broadcasts to exactly `wide`.
bool broadcasts_to(const Shape& narrow, const Shape& wide);

template <class T>
const T& attribute(Op op, const Attributes& attributes) {
  const T* found = std::get_if<T>(&attributes);
  if (found == nullptr) refuse(op, "was added with the attributes of another op", "add it with the function of its name");
  return *found;
}

/// Shape rule of ops that give back the type of their one operand.
template <Op op>
Types infer_same(Inputs inputs, const Attributes&) {
  expect_operands(op, inputs, 1);
  return {inputs[0]};
}

/// The builder of the first operand that is a tensor; throws if all are numbers.
GraphBuilder& builder_of(std::initializer_list<Value> values);

/// `x` with the extent of its last axis replaced by 1: what reductions over the last axis keep.
Shape without_last_axis(const Shape& x);

/// Copies the operand's bytes: the kernel of ops that change nothing but the type.
void copy_first_operand(const Evaluation& e);

}  // namespace qfw::ops

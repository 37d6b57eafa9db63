#include "floating.h"

namespace qfw::onnx {

/// Nothing is left to round to: floats are f32, and codes are whole.
void Floating::cast(int number) { finish(number, value(node(number).inputs[0])); }

void Floating::product(int number) {
  const Node& made = node(number);
  const Use use = made.inputs[1];
  if (!constants_.has(use)) refuse(number, "the weights depend on the images", "ONNX files of qfw hold constant ones");
  const Shape& shape = graph().type(use).shape;
  const std::vector<float> values = in_onnx_order(std::span<const float>(constants_.numbers(use)), shape);
  const std::string weights = file_.initializer(constant_name(use), weights_dims(shape), values);
  const bool is_conv = made.op == Op::conv2d;
  const std::string result = file_.add(is_conv ? "Conv" : "MatMul", {value(made.inputs[0]).name, weights}, name_for(number));
  if (is_conv) convolution_attributes(made, shape);
  finish(number, {result});
}

void Floating::sum(int number) { reduce_with("ReduceSum", number); }

}  // namespace qfw::onnx

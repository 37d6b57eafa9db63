#include "constants.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::onnx {

namespace {

template <class T>
void fill(const HostTensor& to, double value) {
  std::ranges::fill(to.as<T>(), static_cast<T>(static_cast<float>(value)));
}

void fill(const HostTensor& to, double value) {
  switch (to.type.dtype) {
    case DType::f32:
      return fill<float>(to, value);
    case DType::bf16:
      return fill<BFloat16>(to, value);
    case DType::f16:
      return fill<Float16>(to, value);
    case DType::s32:
      return fill<std::int32_t>(to, value);
    case DType::s8:
      return fill<std::int8_t>(to, value);
    case DType::u8:
      return fill<std::uint8_t>(to, value);
  }
}

template <class T>
std::vector<float> widened(const HostView& view) {
  const auto from = view.as<T>();
  std::vector<float> to(from.size());
  std::ranges::transform(from, to.begin(), [](T value) {
    const auto wide = static_cast<float>(value);
    return std::fpclassify(wide) == FP_SUBNORMAL ? std::copysign(0.f, wide) : wide;
  });
  return to;
}

}  // namespace

Constants::Constants(const Graph& graph) : graph_(graph) {
  const FlushDenormals flushed;
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    of_images_.push_back(node.op == Op::input || std::ranges::any_of(node.inputs, [&](Use use) { return !has(use); }));
    if (!of_images_.back() && node.op != Op::tensor) evaluate(number);
  }
}

void Constants::evaluate(int number) {
  const Node& node = graph_.nodes[static_cast<std::size_t>(number)];
  auto& values = values_[number];
  std::vector<HostTensor> outputs;
  for (const TensorType& type : node.outputs) {
    values.emplace_back(type.bytes());
    outputs.push_back({type, values.back()});
  }
  if (node.op == Op::constant) return fill(outputs.at(0), node.as<Number>().value);
  const ReferenceKernel kernel = definition(node.op).evaluate;
  if (kernel == nullptr) {
    fail(Error::Category::internal, "onnx", std::string("a frozen network has ") + name_of(node.op), "layer " + node.path);
  }
  std::vector<HostView> inputs;
  for (const Use use : node.inputs) inputs.push_back(of(use));
  kernel({node, inputs, outputs});
}

HostView Constants::of(Use use) const {
  const Node& node = graph_.nodes[static_cast<std::size_t>(use.node)];
  if (node.op != Op::tensor) return {graph_.type(use), values_.at(use.node)[static_cast<std::size_t>(use.output)]};
  return {graph_.type(use), *graph_.tensors[static_cast<std::size_t>(node.as<Slot>().index)].bytes};
}

std::vector<float> Constants::numbers(Use use) const {
  const HostView view = of(use);
  switch (view.type.dtype) {
    case DType::f32:
      return widened<float>(view);
    case DType::bf16:
      return widened<BFloat16>(view);
    case DType::f16:
      return widened<Float16>(view);
    case DType::s32:
      return widened<std::int32_t>(view);
    case DType::s8:
      return widened<std::int8_t>(view);
    case DType::u8:
      return widened<std::uint8_t>(view);
  }
  return {};
}

}  // namespace qfw::onnx

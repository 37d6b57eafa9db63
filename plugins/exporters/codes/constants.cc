#include "constants.h"

#include <algorithm>
#include <type_traits>

#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::codes {

namespace {

template <class T>
void repeat(const HostTensor& to, double value) {
  if constexpr (std::is_integral_v<T>) {
    std::ranges::fill(to.as<T>(), static_cast<T>(value));
  } else {
    std::ranges::fill(to.as<T>(), T(static_cast<float>(value)));
  }
}

void fill(const HostTensor& to, double value) {
  switch (to.type.dtype) {
    case DType::f32:
      return repeat<float>(to, value);
    case DType::bf16:
      return repeat<BFloat16>(to, value);
    case DType::f16:
      return repeat<Float16>(to, value);
    case DType::s32:
      return repeat<std::int32_t>(to, value);
    case DType::s8:
      return repeat<std::int8_t>(to, value);
    case DType::u8:
      return repeat<std::uint8_t>(to, value);
  }
}

}  // namespace

Constants::Constants(const Graph& graph) : graph_(graph) {
  for (const Node& node : graph.nodes) {
    of_images_.push_back(node.op == Op::input || std::ranges::any_of(node.inputs, [&](Use use) { return of_images(use); }));
  }
}

HostView Constants::value(Use use) {
  const Node& node = graph_.nodes[static_cast<std::size_t>(use.node)];
  if (node.op == Op::tensor) return {node.outputs[0], *graph_.tensors[static_cast<std::size_t>(node.as<Slot>().index)].bytes};
  const auto known = values_.find({use.node, use.output});
  if (known != values_.end()) return {graph_.type(use), known->second};
  if (of_images(use)) fail(Error::Category::internal, "codes", "a constant is asked for that images decide", node.path);
  evaluate(use.node);
  return {graph_.type(use), values_.at({use.node, use.output})};
}

HostView Constants::narrow(Use use) {
  const auto node = [&]() -> const Node& { return graph_.nodes[static_cast<std::size_t>(use.node)]; };
  while (node().op == Op::broadcast_to) use = node().inputs[0];
  const HostView all = value(use);
  if (node().op != Op::constant || all.bytes.empty()) return all;
  return {{Shape{}, all.type.dtype}, all.bytes.first(size_of(all.type.dtype))};
}

void Constants::evaluate(int number) {
  const Node& node = graph_.nodes[static_cast<std::size_t>(number)];
  std::vector<std::vector<std::byte>> made;
  for (const TensorType& type : node.outputs) made.emplace_back(type.bytes());
  std::vector<HostTensor> outputs;
  for (std::size_t i = 0; i < made.size(); ++i) outputs.push_back({node.outputs[i], made[i]});
  if (node.op == Op::constant) {
    fill(outputs[0], node.as<Number>().value);
  } else {
    std::vector<HostView> inputs;
    for (const Use use : node.inputs) inputs.push_back(value(use));
    const FlushDenormals flushed;
    definition(node.op).evaluate({node, inputs, outputs});
  }
  for (std::size_t i = 0; i < made.size(); ++i) values_[{number, static_cast<int>(i)}] = std::move(made[i]);
}

}  // namespace qfw::codes

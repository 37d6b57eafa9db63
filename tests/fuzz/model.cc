// Networks as programs that predict read them: whatever the bytes, an error or a network that computes something.
#include <cstring>
#include <vector>

#include "input.h"
#include "predict/model_file.h"
#include "qfw/op_definition.h"

namespace {

/// Multiplications, more or less: large networks are slow, not different.
double cost_of(const qfw::Graph& graph) {
  double cost = 0;
  for (const qfw::Node& node : graph.nodes) {
    for (const qfw::TensorType& type : node.outputs) {
      double of_one = 1;
      if (qfw::class_of(node.op) == qfw::OpClass::matmul) {
        const qfw::Shape& weights = graph.type(node.inputs[1]).shape;
        of_one = static_cast<double>(weights.count()) / static_cast<double>(weights.channels());
      }
      if (const auto* pool = std::get_if<qfw::Pool>(&node.attributes)) {
        of_one = static_cast<double>(pool->window[0]) * static_cast<double>(pool->window[1]);
      }
      cost += of_one * static_cast<double>(type.shape.count());
    }
  }
  return cost;
}

/// By the reference kernels, one image of equal values.
void compute(const qfw::Graph& graph) {
  std::vector<std::vector<std::byte>> values;
  for (const qfw::Node& node : graph.nodes) {
    const qfw::TensorType& type = node.outputs[0];
    std::vector<std::byte>& value = values.emplace_back(type.bytes());
    if (node.op == qfw::Op::input || node.op == qfw::Op::constant) {
      const float number = node.op == qfw::Op::input ? 0.5F : static_cast<float>(node.as<qfw::Number>().value);
      for (std::size_t i = 0; i < value.size(); i += sizeof number) std::memcpy(&value[i], &number, sizeof number);
    } else if (node.op == qfw::Op::tensor) {
      value = *graph.tensors[static_cast<std::size_t>(node.as<qfw::Slot>().index)].bytes;
    } else {
      std::vector<qfw::HostView> inputs;
      for (const qfw::Use use : node.inputs) inputs.emplace_back(graph.type(use), values[static_cast<std::size_t>(use.node)]);
      const qfw::HostTensor output{type, value};
      qfw::definition(node.op).evaluate({node, inputs, {&output, 1}});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  fuzz::expect_no_worse_than_an_error([&] {
    const predict::ModelFile file = predict::model_bytes(std::as_bytes(std::span(data, size)));
    if (cost_of(file.model.graph) > 1e7) return;
    try {
      compute(file.model.graph);
    } catch (const Error& error) {
      if (!std::string_view(error.what()).starts_with("[cast]")) throw;  // of what overflowed to no number
    }
  });
  return 0;
}

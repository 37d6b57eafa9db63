#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "qfw/graph.h"
#include "qfw/op_definition.h"

/// Graphs evaluated node by node with the reference kernels alone, without a backend.
namespace qfw::test {

using Memory = std::vector<std::byte>;
using Tensors = std::map<std::pair<int, int>, Memory>;  ///< by node and output

/// Whether whoever evaluates a graph has to bring the node's result.
inline bool is_given(Op op) { return op == Op::input || op == Op::variable; }

inline Memory constant_memory(const Node& node) {
  Memory memory(node.outputs[0].bytes());
  const HostTensor to{node.outputs[0], memory};
  const double value = node.as<Number>().value;
  switch (to.type.dtype) {
    case DType::f32:
      std::ranges::fill(to.as<float>(), static_cast<float>(value));
      break;
    case DType::bf16:
      std::ranges::fill(to.as<BFloat16>(), BFloat16(static_cast<float>(value)));
      break;
    case DType::f16:
      std::ranges::fill(to.as<Float16>(), Float16(static_cast<float>(value)));
      break;
    case DType::s32:
      std::ranges::fill(to.as<std::int32_t>(), static_cast<std::int32_t>(value));
      break;
    case DType::s8:
      std::ranges::fill(to.as<std::int8_t>(), static_cast<std::int8_t>(value));
      break;
    case DType::u8:
      std::ranges::fill(to.as<std::uint8_t>(), static_cast<std::uint8_t>(value));
      break;
  }
  return memory;
}

/// Adds the results of one node that is not given; its inputs are there.
inline void evaluate_node(const Graph& graph, int number, Tensors& tensors) {
  const Node& node = graph.nodes[number];
  if (node.op == Op::constant) {
    tensors[{number, 0}] = constant_memory(node);
    return;
  }
  std::vector<HostView> inputs;
  std::vector<HostTensor> outputs;
  for (const Use use : node.inputs) inputs.emplace_back(graph.type(use), tensors.at({use.node, use.output}));
  for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) {
    Memory& memory = tensors[{number, i}];
    memory.resize(node.outputs[i].bytes());
    outputs.push_back({node.outputs[i], memory});
  }
  definition(node.op).evaluate({node, inputs, outputs});
}

/// All results of a graph without composites; `tensors` holds those of the given nodes.
inline Tensors interpret(const Graph& graph, Tensors tensors) {
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (!is_given(graph.nodes[i].op)) evaluate_node(graph, i, tensors);
  }
  return tensors;
}

}  // namespace qfw::test

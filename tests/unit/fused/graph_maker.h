#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "fused/fused_kernel.h"
#include "qfw/denormals.h"
#include "qfw/op_definition.h"
#include "support/interpret.h"

/// Graphs by hand, evaluated once node by node with the reference kernels and once as planned with the fused engine.
namespace qfw::cpu::testing {

using test::Memory;
using test::Tensors;

struct Maker {
  Graph graph;

  Use add(Op op, std::vector<Use> inputs, Attributes attributes = {}) {
    std::vector<TensorType> types;
    for (const Use use : inputs) types.push_back(graph.type(use));
    graph.nodes.push_back({.op = op,
                           .inputs = std::move(inputs),
                           .attributes = attributes,
                           .outputs = definition(op).infer(types, attributes),
                           .path = {}});
    return {static_cast<int>(graph.nodes.size()) - 1, 0};
  }
  Use source(Op op, TensorType type, Attributes attributes) {
    graph.nodes.push_back({.op = op, .inputs = {}, .attributes = attributes, .outputs = {type}, .path = {}});
    return {static_cast<int>(graph.nodes.size()) - 1, 0};
  }
  Use input(Shape shape, DType dtype = DType::f32) {
    graph.inputs.push_back({"input" + std::to_string(graph.inputs.size()), {shape, dtype}});
    return source(Op::input, {shape, dtype}, Slot{static_cast<int>(graph.inputs.size()) - 1});
  }
  Use variable(Shape shape, DType dtype = DType::f32) {
    graph.variables.push_back(
        {.name = "variable" + std::to_string(graph.variables.size()), .type = {shape, dtype}, .init = {}});
    return source(Op::variable, {shape, dtype}, Slot{static_cast<int>(graph.variables.size()) - 1});
  }
  Use number(double value, DType dtype = DType::f32, Shape shape = {}) {
    return source(Op::constant, {shape, dtype}, Number{value});
  }
  Use cast(Use x, DType to) { return add(Op::cast, {x}, to); }
  void fetch(Use use) { graph.fetches.push_back({"fetch" + std::to_string(graph.fetches.size()), use}); }
};

inline float element(const Memory& memory, DType dtype, std::int64_t i) {
  const std::byte* p = memory.data() + i * static_cast<std::int64_t>(size_of(dtype));
  switch (dtype) {
    case DType::f32: {
      float v;
      std::memcpy(&v, p, 4);
      return v;
    }
    case DType::bf16: {
      BFloat16 v;
      std::memcpy(&v, p, 2);
      return static_cast<float>(v);
    }
    case DType::f16: {
      Float16 v;
      std::memcpy(&v, p, 2);
      return static_cast<float>(v);
    }
    case DType::s32: {
      std::int32_t v;
      std::memcpy(&v, p, 4);
      return static_cast<float>(v);
    }
    case DType::s8: {
      std::int8_t v;
      std::memcpy(&v, p, 1);
      return v;
    }
    case DType::u8: {
      std::uint8_t v;
      std::memcpy(&v, p, 1);
      return v;
    }
  }
  return 0;
}

/// Normal numbers of the dtype, one in eight of them 0 and, where `wild`, some of them not finite.
inline Memory random_memory(const TensorType& type, std::mt19937& random, bool wild = false) {
  Memory memory(type.bytes());
  std::normal_distribution<float> normal(0.0f, 2.0f);
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    float value = random() % 8 == 0 ? 0.0f : normal(random);
    if (wild && random() % 64 == 0) {
      constexpr float special[] = {INFINITY, -INFINITY, NAN, -0.0f, 1e38f, 0.5f, 1.5f, -2.5f};
      value = special[random() % 8];
    }
    std::byte* p = memory.data() + i * static_cast<std::int64_t>(size_of(type.dtype));
    switch (type.dtype) {
      case DType::f32:
        std::memcpy(p, &value, 4);
        break;
      case DType::bf16: {
        const BFloat16 v(value);
        std::memcpy(p, &v, 2);
        break;
      }
      case DType::f16: {
        const Float16 v(value);
        std::memcpy(p, &v, 2);
        break;
      }
      case DType::s32: {
        const auto v = static_cast<std::int32_t>(random() % 2000000001u) - 1000000000;
        std::memcpy(p, &v, 4);
        break;
      }
      case DType::s8: {
        const auto v = static_cast<std::int8_t>(random());
        std::memcpy(p, &v, 1);
        break;
      }
      case DType::u8: {
        const auto v = static_cast<std::uint8_t>(random());
        std::memcpy(p, &v, 1);
        break;
      }
    }
  }
  return memory;
}

inline Tensors random_sources(const Graph& graph, std::mt19937& random, bool wild = false) {
  Tensors tensors;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (test::is_given(graph.nodes[i].op)) tensors[{i, 0}] = random_memory(graph.nodes[i].outputs[0], random, wild);
  }
  return tensors;
}

/// As on every backend, denormals are zero.
inline Tensors evaluate_all(const Graph& graph, Tensors tensors) {
  const FlushDenormals flush;
  return test::interpret(graph, std::move(tensors));
}

inline void run_group(const Graph& graph, const lowering::Group& group, int threads, Tensors& tensors) {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Use use : group.inputs) inputs.push_back(tensors.at({use.node, use.output}).data());
  for (const Use use : group.outputs) {
    Memory& memory = tensors[{use.node, use.output}];
    memory.assign(graph.type(use).bytes(), std::byte{0xee});
    outputs.push_back(memory.data());
  }
  const auto kernel = make_fused(graph, group, threads);
  kernel->run({}, inputs, outputs);
  const Tensors once = tensors;
  kernel->run({}, inputs, outputs);  // a second run must not depend on the first
  for (const Use use : group.outputs) {
    const std::pair key{use.node, use.output};
    if (once.at(key) != tensors.at(key)) throw std::runtime_error("a second run differs");
  }
}

inline Tensors run_plan(const Graph& graph, const std::vector<lowering::Item>& plan, int threads, Tensors tensors) {
  for (const lowering::Item& item : plan) {
    if (item.group) {
      run_group(graph, *item.group, threads, tensors);
    } else if (!test::is_given(graph.nodes[item.node].op)) {
      test::evaluate_node(graph, item.node, tensors);
    }
  }
  return tensors;
}

/// Index of the first element whose bits differ (any NaN equals any NaN), -1 if there is none.
inline std::int64_t first_difference(const TensorType& type, const Memory& a, const Memory& b) {
  const std::size_t size = size_of(type.dtype);
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    if (std::memcmp(a.data() + i * size, b.data() + i * size, size) == 0) continue;
    if (is_float(type.dtype) && std::isnan(element(a, type.dtype, i)) && std::isnan(element(b, type.dtype, i))) continue;
    return i;
  }
  return -1;
}

}  // namespace qfw::cpu::testing

#pragma once

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <span>
#include <string>

#include "graph_maker.h"
#include "qfw/lowering/program.h"

/// One group by every way that this processor has of running it: all give the interpreter's bits.
namespace qfw::cpu::testing {

/// Numbers as they come, and all that is special: infinite, none, subnormal, both zeros, ties of rounding, ends of ranges.
inline Memory wild_memory(const TensorType& type, std::mt19937& random) {
  Memory memory = random_memory(type, random, true);
  if (type.dtype != DType::f32 && type.dtype != DType::bf16) return memory;
  constexpr std::uint32_t special[] = {0x00000001, 0x80000001, 0x007fffff, 0x00400000, 0x00800000, 0x80800000,
                                       0x7f7fffff, 0x3f808000, 0x3f818000, 0x7fc12345, 0xffc00001, 0x80000000,
                                       0x00000000, 0x00010000, 0x437f0000, 0xc3000000};
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    if (random() % 16 != 0) continue;
    const std::uint32_t bits = special[random() % std::size(special)];
    if (type.dtype == DType::f32) {
      std::memcpy(memory.data() + i * 4, &bits, 4);
    } else {
      const auto upper = static_cast<std::uint16_t>(bits >> 16);
      std::memcpy(memory.data() + i * 2, &upper, 2);
    }
  }
  return memory;
}

/// What a kernel writes, by its outputs.
inline std::vector<Memory> outputs_of(Kernel& kernel, const Graph& graph, const lowering::Group& group,
                                      const Tensors& tensors) {
  std::vector<const void*> inputs;
  std::vector<Memory> memory;
  std::vector<void*> outputs;
  for (const Use use : group.inputs) inputs.push_back(tensors.at({use.node, use.output}).data());
  for (const Use use : group.outputs) memory.emplace_back(graph.type(use).bytes(), std::byte{0xee});
  for (Memory& m : memory) outputs.push_back(m.data());
  kernel.run({}, inputs, outputs);
  return memory;
}

struct Counts {
  int compared = 0;
  std::map<std::string, int> refused;  ///< by reason
};

/// `tensors` holds the group's inputs. Returns its outputs, as the interpreter has them; a difference is a fatal failure.
inline void compare_kinds(const Graph& graph, const lowering::Group& group, const Tensors& tensors, Counts& counts,
                          std::vector<Memory>& expected) {
  const std::span kinds(body_kinds());
  const lowering::FusedProgram program = lowering::program_of(graph, group);
  std::string why;
  expected = outputs_of(*make_fused(program, 2, kinds.back(), why), graph, group, tensors);
  for (const BodyKind& kind : kinds.first(kinds.size() - 1)) {
    const auto kernel = make_fused(program, 2, kind, why);
    if (kernel == nullptr) {
      ++counts.refused[why];
      continue;
    }
    ++counts.compared;
    const std::vector<Memory> found = outputs_of(*kernel, graph, group, tensors);
    for (std::size_t o = 0; o < expected.size(); ++o) {
      const TensorType& type = graph.type(group.outputs[o]);
      const auto at = first_difference(type, expected[o], found[o]);
      ASSERT_EQ(at, -1) << kind.name << ", output " << o << " " << type.str() << ": " << element(expected[o], type.dtype, at)
                        << " expected, " << element(found[o], type.dtype, at) << " found\n"
                        << lowering::to_string(program);
    }
  }
}

}  // namespace qfw::cpu::testing

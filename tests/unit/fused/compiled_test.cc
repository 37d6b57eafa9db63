#include <gtest/gtest.h>

#include <span>

#include "qfw/lowering/program.h"
#include "random_graph.h"

namespace qfw::cpu::testing {
namespace {

/// Numbers as they come, and all that is special: infinite, none, subnormal, both zeros, ties of rounding, ends of ranges.
Memory wild_memory(const TensorType& type, std::mt19937& random) {
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

/// What a group writes, by its outputs.
std::vector<Memory> outputs_of(Kernel& kernel, const Graph& graph, const lowering::Group& group, Tensors& tensors) {
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
  int compared = 0, refused = 0;
};

/// Each group of a graph, by every way of running it, against the interpreter.
void compare_kinds(const Graph& graph, std::mt19937& random, Counts& counts) {
  Tensors tensors;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (test::is_given(graph.nodes[i].op)) tensors[{i, 0}] = wild_memory(graph.nodes[i].outputs[0], random);
  }
  const std::span kinds(body_kinds());
  for (const lowering::Item& item : lowering::group_nodes(graph, target())) {
    if (!item.group) {
      if (!test::is_given(graph.nodes[item.node].op)) test::evaluate_node(graph, item.node, tensors);
      continue;
    }
    const lowering::Group& group = *item.group;
    const lowering::FusedProgram program = lowering::program_of(graph, group);
    std::string why;
    const auto interpreted = make_fused(program, 2, kinds.back(), why);
    const std::vector<Memory> expected = outputs_of(*interpreted, graph, group, tensors);
    for (const BodyKind& kind : kinds.first(kinds.size() - 1)) {
      const auto kernel = make_fused(program, 2, kind, why);
      if (kernel == nullptr) {
        EXPECT_FALSE(why.empty());
        ++counts.refused;
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
    for (std::size_t o = 0; o < expected.size(); ++o) {
      tensors[{group.outputs[o].node, group.outputs[o].output}] = expected[o];
    }
  }
}

class CompiledRandom : public ::testing::TestWithParam<unsigned> {};

TEST_P(CompiledRandom, EqualsInterpreter) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  Counts counts;
  for (unsigned seed = GetParam() * 50; seed < (GetParam() + 1) * 50; ++seed) {
    SCOPED_TRACE(seed);
    const Maker m = random_graph(seed);
    std::mt19937 random(seed + 1);
    compare_kinds(m.graph, random, counts);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(counts.compared, 4 * counts.refused);
}

INSTANTIATE_TEST_SUITE_P(Fifties, CompiledRandom, ::testing::Range(0U, 20U));

}  // namespace
}  // namespace qfw::cpu::testing

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "compare_kinds.h"
#include "random_graph.h"

namespace qfw::cpu::testing {
namespace {

/// Each group of a graph, the inputs of the first ones wild.
void compare_groups(const Graph& graph, std::mt19937& random, Counts& counts) {
  Tensors tensors;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (test::is_given(graph.nodes[i].op)) tensors[{i, 0}] = wild_memory(graph.nodes[i].outputs[0], random);
  }
  for (const lowering::Item& item : lowering::group_nodes(graph, target())) {
    if (!item.group) {
      if (!test::is_given(graph.nodes[item.node].op)) test::evaluate_node(graph, item.node, tensors);
      continue;
    }
    std::vector<Memory> outputs;
    compare_kinds(graph, *item.group, tensors, counts, outputs);
    if (::testing::Test::HasFatalFailure()) return;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      tensors[{item.group->outputs[o].node, item.group->outputs[o].output}] = outputs[o];
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
    compare_groups(m.graph, random, counts);
    if (HasFatalFailure()) return;
  }
  for (const auto& [why, times] : counts.refused) {
    EXPECT_THAT(why, ::testing::AnyOf("tanh", "columns apart", "rows shorter than a vector", "too many values at once"))
        << times;
  }
  EXPECT_GT(counts.compared, 100);
}

/// x * row of so many rows and columns, by the best kind.
std::unique_ptr<Kernel> scaled(std::int64_t rows, std::int64_t cols) {
  Maker m;
  const Use product = m.add(Op::multiply, {m.input({rows, cols}), m.input({cols})});
  return make_fused(m.graph, lowering::group_of(m.graph, product.node), 1);
}

TEST(Compiled, ExtentsShareCode) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  const std::string name = scaled(3, 64)->implementation();
  EXPECT_TRUE(name.starts_with("fused_")) << name;
  EXPECT_EQ(scaled(700, 131)->implementation(), name);
}

TEST(Compiled, PagesAreNeverWritableAndExecutable) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  const auto mappings = [](const std::string& rights) {
    std::ifstream maps("/proc/self/maps");
    int found = 0;
    for (std::string line; std::getline(maps, line);) found += line.find(' ' + rights + ' ') != line.npos;
    return found;
  };
  const int before = mappings("r-xp"), unsafe = mappings("rwxp");
  const auto kernel = scaled(5, 160);
  EXPECT_EQ(mappings("r-xp"), before + 1);
  EXPECT_EQ(mappings("rwxp"), unsafe);
}

/// As a stranger's quantizer might make one: code has its limits, and what is beyond them is interpreted.
TEST(Compiled, TooLongAPassIsInterpreted) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  Maker m;
  const Use x = m.input({2, 64});
  lowering::Group group{.nodes = {}, .inputs = {x}, .outputs = {}};
  Use y = x;
  for (int chain = 0; chain < 40; ++chain) {  // a single one would be so deep that walking it takes much of a stack
    const Use number = m.number(chain + 2);
    group.nodes.push_back(number.node);
    Use end = x;
    for (int i = 0; i < 500; ++i) {
      end = m.add(i % 2 == 0 ? Op::add : Op::multiply, {end, i == 0 ? number : x});
      group.nodes.push_back(end.node);
    }
    y = m.add(Op::add, {y, end});
    group.nodes.push_back(y.node);
  }
  group.outputs = {y};
  const auto kernel = make_fused(m.graph, group, 1);
  EXPECT_THAT(kernel->implementation(),
              ::testing::AllOf(::testing::StartsWith("interpreted by "), ::testing::HasSubstr("too big")));
}

TEST(Compiled, InterpreterSaysWhatItTakes) {
  Maker m;
  const Use result = m.add(Op::exp, {m.input({3, 64})});
  const auto kernel = make_fused(m.graph, lowering::group_of(m.graph, result.node), 1);
  EXPECT_THAT(kernel->implementation(), ::testing::StartsWith("interpreted by "));
  if (body_kinds().size() > 1) {
    EXPECT_THAT(kernel->implementation(), ::testing::EndsWith(": exp"));
  }
}

INSTANTIATE_TEST_SUITE_P(Fifties, CompiledRandom, ::testing::Range(0U, 20U));

}  // namespace
}  // namespace qfw::cpu::testing

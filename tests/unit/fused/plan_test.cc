#include <gtest/gtest.h>

#include <set>

#include "random_graph.h"

namespace qfw::cpu::testing {
namespace {

/// What group_nodes promises: everything read was written before, by exactly one item.
void expect_sound(const Graph& graph, const std::vector<lowering::Item>& plan) {
  std::set<std::pair<int, int>> made;
  std::set<int> singles;
  for (const lowering::Item& item : plan) {
    const auto& reads = item.group ? item.group->inputs : graph.nodes[item.node].inputs;
    for (const Use use : reads) ASSERT_TRUE(made.contains({use.node, use.output})) << "%" << use.node << " is read too early";
    if (item.group) {
      ASSERT_TRUE(std::ranges::is_sorted(item.group->nodes));
      for (const Use use : item.group->outputs)
        ASSERT_TRUE(made.emplace(use.node, use.output).second) << "%" << use.node << " twice";
    } else {
      ASSERT_TRUE(singles.insert(item.node).second);
      for (int i = 0; i < static_cast<int>(graph.nodes[item.node].outputs.size()); ++i) {
        ASSERT_TRUE(made.emplace(item.node, i).second) << "%" << item.node << " twice";
      }
    }
  }
  for (const auto& [variable, use] : graph.updates) EXPECT_TRUE(made.contains({use.node, use.output}));
  for (const Fetch& fetch : graph.fetches) EXPECT_TRUE(made.contains({fetch.use.node, fetch.use.output}));
}

int large_passes(const Graph& graph, const std::vector<lowering::Item>& plan) {
  return static_cast<int>(std::ranges::count_if(plan, [&](const lowering::Item& item) {
    return item.group && std::ranges::any_of(item.group->nodes, [&](int n) {
             const Node& node = graph.nodes[n];
             return class_of(node.op) != OpClass::view &&
                    (node.outputs[0].shape.count() > 4096 ||
                     (!node.inputs.empty() && graph.type(node.inputs[0]).shape.count() > 4096));
           });
  }));
}

class RandomGraph : public ::testing::TestWithParam<unsigned> {};

/// Equals the reference, for one thread and for two.
TEST_P(RandomGraph, EqualsReference) {
  const Maker m = random_graph(GetParam());
  std::mt19937 random(GetParam());
  const auto plan = lowering::group_nodes(m.graph, target());
  expect_sound(m.graph, plan);
  const Tensors sources = random_sources(m.graph, random);
  const Tensors expected = evaluate_all(m.graph, sources);
  for (const int threads : {1, 2}) {
    const Tensors found = run_plan(m.graph, plan, threads, sources);
    for (const Fetch& fetch : m.graph.fetches) {
      const std::pair key{fetch.use.node, fetch.use.output};
      ASSERT_EQ(first_difference(m.graph.type(fetch.use), expected.at(key), found.at(key)), -1)
          << "%" << fetch.use.node << " " << name_of(m.graph.nodes[fetch.use.node].op) << " " << m.graph.type(fetch.use).str();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraph, ::testing::Range(0U, 200U));

/// x -> batch norm -> + shortcut -> relu -> codes, with observers: one pass for the moments, one for all the rest.
TEST(Plan, NormaliseAddReluQuantizeIsTwoPasses) {
  Maker m;
  const Use x = m.input({8, 14, 14, 64}, DType::bf16), shortcut = m.input({8, 14, 14, 64});
  const Use gamma = m.variable({64}), beta = m.variable({64}), scale = m.variable({});
  const Use wide = m.cast(x, DType::f32);
  const Use mean = m.add(Op::moments, {wide});
  const Use factor = m.add(Op::divide, {gamma, m.add(Op::sqrt, {m.add(Op::add, {{mean.node, 1}, m.number(1e-5)})})});
  const Use normal = m.add(Op::add, {m.add(Op::multiply, {m.add(Op::subtract, {wide, mean}), factor}), beta});
  const Use y = m.add(Op::relu, {m.add(Op::add, {normal, shortcut})});
  const Use levels = m.add(Op::floor, {m.add(Op::multiply, {y, m.add(Op::multiply, {scale, m.number(0.5)})})});
  const Use clipped = m.add(Op::minimum, {m.add(Op::maximum, {levels, m.number(0)}, Ties::half), m.number(255)}, Ties::half);
  m.fetch(y);
  m.fetch(m.cast(clipped, DType::u8));
  m.fetch(m.add(Op::sum, {m.add(Op::abs, {y})}, Reduce{{}}));
  m.fetch(m.add(Op::reduce_max, {y}, Reduce{{64}}));
  const auto plan = lowering::group_nodes(m.graph, target());
  expect_sound(m.graph, plan);
  EXPECT_EQ(large_passes(m.graph, plan), 2);
}

/// Residual sums do not pull whole networks into one expression.
TEST(Plan, ResidualsAreStored) {
  Maker m;
  Use y = m.input({4, 8, 8, 64});
  std::vector<Use> weights;
  for (int block = 0; block < 20; ++block) {
    const Use x = m.add(Op::multiply, {m.input({4, 8, 8, 64}), m.add(Op::sum, {y}, Reduce{{64}})});
    y = m.add(Op::relu, {m.add(Op::add, {x, y})});
    m.fetch(m.add(Op::sum, {m.add(Op::multiply, {y, m.add(Op::sum, {y}, Reduce{{64}})})}, Reduce{{}}));
  }
  const auto plan = lowering::group_nodes(m.graph, target());
  expect_sound(m.graph, plan);
  for (const lowering::Item& item : plan) {
    if (item.group) {
      EXPECT_LE(item.group->inputs.size(), 6u);
    }
  }
}

/// What widens a stored value runs when it is needed, so that only the narrow one lives on.
TEST(Plan, WideningWaits) {
  Maker m;
  const Use x = m.input({8, 16, 16, 32});
  const Use codes = m.cast(m.add(Op::floor, {m.add(Op::abs, {x})}), DType::u8);
  const Use wide = m.cast(codes, DType::bf16);
  m.fetch(codes);
  m.fetch(wide);
  const auto plan = lowering::group_nodes(m.graph, target());
  expect_sound(m.graph, plan);
  EXPECT_EQ(large_passes(m.graph, plan), 2);
}

TEST(Kernel, OverwritesOnlyWhatItHasRead) {
  std::mt19937 random(9);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Maker m;
    const Use x = m.input({50, 64}, dtype), y = m.input({50, 64}, dtype), row = m.input({64}, dtype);
    const Use sum = m.add(Op::add, {x, row}), product = m.add(Op::multiply, {sum, y}), last = m.add(Op::subtract, {product, x});
    m.fetch(sum);
    m.fetch(last);
    const auto plan = lowering::group_nodes(m.graph, target());
    const auto at = std::ranges::find_if(plan, [](const lowering::Item& item) { return item.group.has_value(); });
    ASSERT_NE(at, plan.end());
    const lowering::Group& group = *at->group;
    ASSERT_EQ(group.outputs.size(), 2u);
    const Tensors sources = random_sources(m.graph, random), expected = evaluate_all(m.graph, sources);
    const auto kernel = make_fused(m.graph, group, 1);
    int allowed = 0;
    for (int i = 0; i < static_cast<int>(group.inputs.size()); ++i) {
      for (int o = 0; o < 2; ++o) {
        if (!kernel->in_place(i, o)) continue;
        ++allowed;
        Tensors memory = sources;
        Memory other(m.graph.type(group.outputs[1 - o]).bytes());
        std::vector<const void*> inputs;
        for (const Use use : group.inputs) inputs.push_back(memory.at({use.node, 0}).data());
        void* outputs[2];
        outputs[o] = const_cast<void*>(inputs[i]);
        outputs[1 - o] = other.data();
        kernel->run({}, inputs, outputs);
        const Use use = group.outputs[o];
        EXPECT_EQ(memory.at({group.inputs[i].node, 0}), expected.at({use.node, 0})) << i << " " << o;
        EXPECT_EQ(other, expected.at({group.outputs[1 - o].node, 0})) << i << " " << o;
      }
    }
    EXPECT_GT(allowed, 0);
  }
}

}  // namespace
}  // namespace qfw::cpu::testing

#include "qfw/lowering/grouping.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/steps.h"

namespace qfw::lowering {
namespace {

const Group* group_with(const Graph& graph, const std::vector<Item>& items, Op op) {
  for (const Item& item : items) {
    if (!item.group) continue;
    for (const int node : item.group->nodes) {
      if (graph.nodes[node].op == op) return &*item.group;
    }
  }
  return nullptr;
}

int number_of(const Graph& graph, Op op) {
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (graph.nodes[i].op == op) return i;
  }
  return -1;
}

Target anchoring() {
  Target target;
  target.may_anchor = [](const Graph&, const Node& node) { return node.op == Op::conv2d || node.op == Op::dense; };
  return target;
}

TEST(Anchor, OfAGroupThatReadsTheMatmulAndWhatIsThereBefore) {
  const Graph graph = testing::quantized_pair();
  const auto items = group_nodes(graph, anchoring());
  const Group* codes = group_with(graph, items, Op::floor);
  ASSERT_NE(codes, nullptr);
  EXPECT_EQ(codes->anchor, number_of(graph, Op::conv2d));
  EXPECT_EQ(group_with(graph, group_nodes(graph, Target{}), Op::floor)->anchor, -1) << "only where the backend offers it";
}

/// The normalisation needs the moments of the whole output: it cannot ride on the tiles they are made from. The moments can.
TEST(Anchor, NotOfAGroupThatWaitsForTheWholeOutput) {
  GraphBuilder g({});
  const Value x = g.input("x", {{64, 32}}), w = g.input("w", {{32, 256}});
  const Value y = dense(x, w);
  const Moments batch = moments(y);
  g.fetch("mean", batch.mean);
  g.fetch("centred", y - batch.mean);
  const Graph graph = finish(g.graph());
  const auto items = group_nodes(graph, anchoring());
  EXPECT_EQ(group_with(graph, items, Op::moments)->anchor, number_of(graph, Op::dense));
  EXPECT_EQ(group_with(graph, items, Op::subtract)->anchor, -1);
}

TEST(Anchor, NotThroughATranspose) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{64, 64}}), w = g.input("w", {{64, 128}});
  g.fetch("y", transpose(dense(x, w), {0, 1}) * 2.0);
  const Graph graph = finish(g.graph());
  EXPECT_EQ(group_with(graph, group_nodes(graph, anchoring()), Op::multiply)->anchor, -1);
}

/// Of two matmuls the one that runs later: the other's output is there by then.
TEST(Anchor, OfTheLaterOfTwo) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{64, 64}}), v = g.input("v", {{64, 128}}), w = g.input("w", {{64, 128}});
  const Value first = dense(x, v), second = dense(x, w);
  g.fetch("y", relu(first + second));
  const Graph graph = finish(g.graph());
  int last = -1;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (graph.nodes[i].op == Op::dense) last = i;
  }
  EXPECT_EQ(group_with(graph, group_nodes(graph, anchoring()), Op::relu)->anchor, last);
}

/// The constants of Target decide: where memory costs nothing, nothing is computed twice.
TEST(Target, DecidesWhatIsComputedAgain) {
  GraphBuilder g({});
  const Value x = g.input("x", {{64, 4096}});
  const Value y = x * 2.0;
  g.fetch("a", sum(y, Keep::channel));
  g.fetch("b", y / (1 + reduce_max(y)));
  const Graph graph = finish(g.graph());
  const auto stores_product = [&](const Target& target) {
    for (const Item& item : group_nodes(graph, target)) {
      if (!item.group) continue;
      for (const Use use : item.group->outputs) {
        if (graph.nodes[use.node].op == Op::multiply) return true;
      }
    }
    return false;
  };
  EXPECT_FALSE(stores_product({}));
  EXPECT_TRUE(stores_product({.recomputing = {.most_operations = 0}}));
}

}  // namespace
}  // namespace qfw::lowering

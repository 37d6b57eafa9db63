#include "qfw/lowering/plan.h"

#include <gtest/gtest.h>

#include "graphs.h"

namespace qfw::lowering {
namespace {

std::string to_string(const Plan& plan) {
  std::string text;
  for (const Plan::Placed& placed : plan.steps) {
    text += std::to_string(placed.step) + ":";
    for (const Place& place : placed.inputs) text += " " + place.str();
    text += " ->";
    for (const Place& place : placed.outputs) text += " " + place.str();
    text += "\n";
  }
  return text;
}

Plan planned(const Graph& graph, bool in_place) {
  const StepList list = list_steps(graph, testing::target, true);
  return place(graph, list, testing::target, [&](int, int, int) { return in_place; });
}

Graph update() {
  GraphBuilder g({});
  const Value w = g.parameter("w", {64}, Init::zeros());
  const Value x = g.input("x", {{64}}, true);
  g.assign(w, w - x);
  return finish(g.graph());
}

TEST(Plan, NextValuesAreWrittenOverOldOnesWhereKernelsAllowIt) {
  EXPECT_EQ(to_string(planned(update(), true)), "0: variable 0 feed 0 -> variable 0\n");
  EXPECT_EQ(to_string(planned(update(), false)), "0: variable 0 feed 0 -> @0x0\n1: @0x0 -> variable 0\n");
}

TEST(Plan, OutputsLieOverInputsThatDie) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{8, 8}}), w = g.input("w", {{8, 8}});
  g.fetch("y", relu(dense(relu(dense(x, w)), w)));
  const Graph graph = finish(g.graph());
  const Plan over = planned(graph, true), apart = planned(graph, false);
  EXPECT_EQ(over.tensor_bytes, apart.tensor_bytes);
  EXPECT_EQ(over.arena_bytes, 256u);
  EXPECT_EQ(apart.arena_bytes, 512u);
}

TEST(Plan, TellsHowLongTensorsAreHeld) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{8, 8}}), w = g.input("w", {{8, 8}});
  const Value first = relu(dense(x, w));
  g.fetch("y", dense(dense(first, w), first));  // first is kept beside what is made of it
  const Graph graph = finish(g.graph());
  const Plan plan = planned(graph, false);
  std::string text;
  for (const Plan::Held& held : plan.held) {
    text += std::string(name_of(graph.nodes[held.use.node].op)) + " " + std::to_string(held.bytes) + ": " +
            std::to_string(held.first) + "-" + std::to_string(held.last) + "\n";
  }
  EXPECT_EQ(text, "dense 256: 0-1\nrelu 256: 1-3\ndense 256: 2-3\ndense 256: 3-4\n");
  EXPECT_EQ(plan.live_bytes, 3 * 256u);
  EXPECT_EQ(plan.arena_bytes, plan.live_bytes);
}

TEST(Plan, SourcesStayWhereTheyAre) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2, 2}});
  g.fetch("step", broadcast_to(g.step(), {2}));
  g.fetch("product", dense(x, broadcast_to(g.parameter("w", {2}, Init::zeros()), {2, 2})));
  const Plan plan = planned(finish(g.graph()), true);
  EXPECT_EQ(plan.variables_read, std::vector<int>{0});
  EXPECT_TRUE(plan.variables_written.empty());
  EXPECT_EQ(to_string(plan), testing::lines(R"(
0: variable 0 -> @0x0
1: feed 0 @0x0 -> @0x0
2: @0x0 -> fetch 1
3: step -> @0x0
4: @0x0 -> fetch 0
)"));
}

}  // namespace
}  // namespace qfw::lowering

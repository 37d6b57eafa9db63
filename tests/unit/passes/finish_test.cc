#include "passes/finish.h"

#include <gmock/gmock.h>

#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Finish, LeavesOutWhatNothingNeedsButInputsAndVariables) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2}, DType::f32}), unused = g.input("unused", {{3}, DType::f32});
  const Value p = g.parameter("p", {2}, Init::zeros());
  g.parameter("q", {2}, Init::zeros());
  exp(x * p);
  g.fetch("y", x + p);
  EXPECT_EQ(to_string(g.graph()), "");
  EXPECT_EQ(to_string(finish(g.graph())), "");
  EXPECT_EQ(finish(g.graph()).variables.size(), 2u);
}

TEST(Finish, ComputesEqualNodesOnceWhereverTheyCameFrom) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2}, DType::f32});
  const auto twice = [&](const char* name) {
    const auto scope = g.scope(name);
    return relu(x * 2) + 1;
  };
  g.fetch("y", twice("a") * twice("b") + relu(x * 3));
  EXPECT_EQ(to_string(finish(g.graph())), "");
}

TEST(Finish, TakesAssignStraightThroughAndStopGradientForWhatTheyStandFor) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{}, DType::f32}, true);
  const Value before = g.state("s", {});
  const Value after = g.assign(before, straight_through(floor(x), x) + before);
  g.fetch("y", stop_gradient(after) * g.state("s", {}));
  EXPECT_EQ(to_string(finish(g.graph())), "");
}

TEST(Finish, DropsAllReduceOfASingleReplica) {
  GraphBuilder g({.training = true});
  g.fetch("y", all_reduce(g.input("x", {{2}, DType::f32}), Across::mean) + 1);
  EXPECT_EQ(to_string(finish(g.graph(), 1)), "");
  EXPECT_THAT(to_string(finish(g.graph(), 2)), HasSubstr("all_reduce(%0) {mean}"));
}

TEST(Finish, KeepsWhatAGraphIsFor) {
  for (const bool training : {true, false}) {
    for (const bool may_update : {true, false}) {
      for (const Summation summation : {Summation::in_order, Summation::free}) {
        GraphBuilder g({.training = training, .may_update = may_update, .summation = summation});
        g.fetch("y", softmax_cross_entropy(g.input("x", {{2, 3}, DType::f32}), g.input("t", {{2, 3}, DType::f32})));
        for (const Graph& graph : {finish(g.graph()), expand_composites(finish(g.graph()), [](const Node&) { return true; })}) {
          EXPECT_EQ(graph.training, training);
          EXPECT_EQ(graph.may_update, may_update);
          EXPECT_EQ(graph.summation, summation);
        }
      }
    }
  }
}

TEST(Setting, IsThatOfATrainingOrAnEvaluationWhereItIsLeftOut) {
  const Graph training = GraphBuilder({.training = true}).graph(), evaluation = GraphBuilder({.training = false}).graph();
  EXPECT_TRUE(training.training && training.may_update && training.summation == Summation::free);
  EXPECT_FALSE(evaluation.training || evaluation.may_update || evaluation.summation == Summation::free);
}

/// A graph that only looks at a training step computes with what is assigned, and stores nothing.
TEST(Setting, WithoutUpdatesAnAssignmentLastsAsLongAsTheStep) {
  GraphBuilder g({.training = true, .may_update = false});
  g.assign(g.state("s", {}), 3);
  g.fetch("y", g.state("s", {}) * 2);
  const Graph graph = finish(g.graph());
  EXPECT_TRUE(graph.updates.empty());
  Evaluator evaluator;
  EXPECT_THAT(evaluator.run(graph).at("y"), ElementsAre(6));
  EXPECT_THAT(evaluator.read("s"), ElementsAre(0));
}

TEST(ExpandComposites, ReplacesThoseThatAreDeclined) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2, 3}, DType::f32});
  {
    const auto scope = g.scope("bn");
    const Value mean = g.state("mean", {3}), variance = g.state("variance", {3});
    g.fetch("y", normalize(x, {mean, variance}, g.parameter("gamma", {3}, {}), g.parameter("beta", {3}, {}), 0.5f));
  }
  const Graph graph = finish(g.graph());
  EXPECT_EQ(to_string(graph), "");
  EXPECT_EQ(to_string(expand_composites(graph, [](const Node&) { return false; })), to_string(graph));
  EXPECT_EQ(to_string(expand_composites(graph, [](const Node& node) { return node.op == Op::normalize; })), "");
}

TEST(ExpandComposites, KeepsUpdatesAndSites) {
  const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", layers::batch_norm(g, "bn", flat(x)), {.features = classes});
  });
  const Floats floats;
  const auto sgd = make<Optimizer>("sgd");
  const Graph graph = training_graph(description(model, floats), *sgd, 0);
  const Graph expanded = expand_composites(graph, [](const Node&) { return true; });
  ASSERT_EQ(expanded.updates.size(), graph.updates.size());
  for (std::size_t i = 0; i < graph.updates.size(); ++i) EXPECT_EQ(expanded.updates[i].first, graph.updates[i].first);
  ASSERT_EQ(expanded.sites.size(), 1u);
  EXPECT_EQ(expanded.nodes[expanded.sites[0].matmul.node].op, Op::dense);
  EXPECT_EQ(expanded.sites[0].sums, expanded.sites[0].matmul);
  EXPECT_EQ(expanded.sites[0].product, expanded.sites[0].matmul);
}

}  // namespace
}  // namespace qfw::testing

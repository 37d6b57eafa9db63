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
  const Value x = g.input("x", {{2}, DType::f32});
  g.input("unused", {{3}, DType::f32});
  const Value p = g.parameter("p", {2}, Init::zeros());
  g.parameter("q", {2}, Init::zeros());
  exp(x * p);
  g.fetch("y", x + p);
  EXPECT_EQ(to_string(g.graph()),
            R"(%0 = input() {x} -> f32[2]
%1 = input() {unused} -> f32[3]
%2 = variable() {#0} -> f32[2]  # p
%3 = variable() {#1} -> f32[2]  # q
%4 = multiply(%0, %2) -> f32[2]
%5 = exp(%4) -> f32[2]
%6 = add(%0, %2) -> f32[2]
fetch y = %6
)");
  EXPECT_EQ(to_string(finish(g.graph())),
            R"(%0 = input() {x} -> f32[2]
%1 = input() {unused} -> f32[3]
%2 = variable() {#0} -> f32[2]  # p
%3 = add(%0, %2) -> f32[2]
fetch y = %3
)");
  EXPECT_EQ(finish(g.graph()).variables.size(), 2u);
}

TEST(Finish, ComputesEqualNodesOnceWhereverTheyCameFrom) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2}, DType::f32});
  const auto twice = [&](const char* name) {
    const auto scope = g.scope(name);
    return relu(x * 2) + 1;
  };
  const Value a = twice("a"), b = twice("b"), other = relu(x * 3);
  g.fetch("y", a * b + other);
  EXPECT_EQ(to_string(finish(g.graph())),
            R"(%0 = input() {x} -> f32[2]
%1 = constant() {2} -> f32[]  # a
%2 = multiply(%0, %1) -> f32[2]  # a
%3 = relu(%2) -> f32[2]  # a
%4 = constant() {1} -> f32[]  # a
%5 = add(%3, %4) -> f32[2]  # a
%6 = constant() {3} -> f32[]
%7 = multiply(%0, %6) -> f32[2]
%8 = relu(%7) -> f32[2]
%9 = multiply(%5, %5) -> f32[2]
%10 = add(%9, %8) -> f32[2]
fetch y = %10
)");
}

TEST(Finish, TakesAssignStraightThroughAndStopGradientForWhatTheyStandFor) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{}, DType::f32}, true);
  const Value before = g.state("s", {}), whole = straight_through(floor(x), x);
  const Value after = g.assign(before, whole + before);
  g.fetch("y", stop_gradient(after) * g.state("s", {}));
  EXPECT_EQ(to_string(finish(g.graph())),
            R"(%0 = input() {x} -> f32[]
%1 = variable() {#0} -> f32[]  # s
%2 = floor(%0) -> f32[]
%3 = add(%2, %1) -> f32[]
%4 = multiply(%3, %3) -> f32[]
update s = %3
fetch y = %4
)");
}

TEST(Finish, DropsAllReduceOfASingleReplica) {
  GraphBuilder g({.training = true});
  g.fetch("y", all_reduce(g.input("x", {{2}, DType::f32}), Across::mean) + 1);
  EXPECT_EQ(to_string(finish(g.graph(), 1)),
            R"(%0 = input() {x} -> f32[2]
%1 = constant() {1} -> f32[]
%2 = add(%0, %1) -> f32[2]
fetch y = %2
)");
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
    const Value gamma = g.parameter("gamma", {3}, {}), beta = g.parameter("beta", {3}, {});
    g.fetch("y", normalize(x, {mean, variance}, gamma, beta, 0.5f));
  }
  const Graph graph = finish(g.graph());
  EXPECT_EQ(to_string(graph),
            R"(%0 = input() {x} -> f32[2, 3]
%1 = variable() {#0} -> f32[3]  # bn/mean
%2 = variable() {#1} -> f32[3]  # bn/variance
%3 = variable() {#2} -> f32[3]  # bn/gamma
%4 = variable() {#3} -> f32[3]  # bn/beta
%5 = normalize(%0, %1, %2, %3, %4) {epsilon 0.5} -> f32[2, 3]  # bn
fetch y = %5
)");
  EXPECT_THAT(to_string(expand_composites(graph, [](const Node&) { return false; })),
              HasSubstr("normalize(%4, %0, %1, %2, %3)"));
  EXPECT_EQ(to_string(expand_composites(graph, [](const Node& node) { return node.op == Op::normalize; })),
            R"(%0 = variable() {#0} -> f32[3]  # bn/mean
%1 = variable() {#1} -> f32[3]  # bn/variance
%2 = variable() {#2} -> f32[3]  # bn/gamma
%3 = variable() {#3} -> f32[3]  # bn/beta
%4 = input() {x} -> f32[2, 3]
%5 = constant() {0.5} -> f32[]  # bn
%6 = add(%1, %5) -> f32[3]  # bn
%7 = sqrt(%6) -> f32[3]  # bn
%8 = constant() {1} -> f32[]  # bn
%9 = divide(%8, %7) -> f32[3]  # bn
%10 = multiply(%9, %2) -> f32[3]  # bn
%11 = subtract(%4, %0) -> f32[2, 3]  # bn
%12 = multiply(%11, %10) -> f32[2, 3]  # bn
%13 = add(%12, %3) -> f32[2, 3]  # bn
fetch y = %13
)");
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

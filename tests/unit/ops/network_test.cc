#include <algorithm>
#include <cmath>

#include "qfw/error.h"
#include "qfw/layers.h"
#include "qfw/op_definition.h"
#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const Build both_moments = [](GraphBuilder&, const std::vector<Value>& x) {
  const Moments m = moments(x[0]);
  return std::vector{m.mean, m.variance};
};

TEST(Moments, AreMeanAndBiasedVarianceOfEachChannel) {
  const auto found = evaluate(both_moments, {f32({2, 2, 1, 2}, {1, 5, 2, 5, 3, 5, 6, 5})});
  EXPECT_THAT(values(found[0]), ElementsAre(3, 5));
  EXPECT_THAT(values(found[1]), ElementsAre(3.5, 0));
  EXPECT_THAT(error_of(both_moments, {{{5}, DType::f32}}), HasSubstr("[moments] x is f32[5]"));
  EXPECT_EQ(type_of(both_moments, {{{8, 3}, DType::bf16}}), (TensorType{{3}, DType::f32}));
}

TEST(Moments, HaveTrueGradients) {
  const Tensor x = spread({4, 2, 3});
  const auto part = [](Value (*choose)(const Moments&)) {
    return [=](GraphBuilder&, const std::vector<Value>& v) { return std::vector{choose(moments(v[0]))}; };
  };
  expect_true_gradients(part([](const Moments& m) { return m.mean; }), {x});
  expect_true_gradients(part([](const Moments& m) { return m.variance; }), {x});
  expect_true_gradients(part([](const Moments& m) { return m.mean * m.variance; }), {x});
}

TEST(Normalize, FollowsItsFormulaAndHasTrueGradients) {
  const Build given = [](GraphBuilder&, const std::vector<Value>& v) {
    return std::vector{normalize(v[0], {v[1], v[2]}, v[3], v[4], 0.5f)};
  };
  const Tensor x = f32({2, 2}, {1, 2, 3, 4}), mean = f32({2}, {1, 1}), variance = f32({2}, {0.5, 3.5});
  EXPECT_THAT(evaluate_one(given, {x, mean, variance, f32({2}, {3, 4}), f32({2}, {10, 20})}), ElementsAre(10, 22, 16, 26));
  const Tensor positive = f32({3}, {0.5, 1.5, 2});
  expect_true_gradients(given, {spread({2, 2, 3}), spread({3}, 2), positive, spread({3}, 4), spread({3}, 5)});

  const Build batch = [](GraphBuilder&, const std::vector<Value>& v) {
    return std::vector{normalize(v[0], moments(v[0]), v[1], v[2], 1e-2f)};
  };
  expect_true_gradients(batch, {spread({3, 2, 2, 3}), spread({3}, 4), spread({3}, 5)}, 4e-3);
}

TEST(Normalize, TakesOnlyTwoReductionsBackward) {
  GraphBuilder g({.training = true});
  const Value x = g.parameter("x", {4, 3}, Init::zeros());
  const Value one = g.parameter("one", {3}, Init::constant(1));
  const Value y = normalize(x, {one, one}, one, one, 1e-5f);
  const Node node = g.graph().nodes[y.node()];
  const std::vector<Value> inputs = {x, one, one, one, one}, outputs = {y};
  const std::vector<std::optional<Value>> gradients = {x};
  definition(Op::normalize).gradient({g, node, inputs, outputs, gradients});
  EXPECT_EQ(std::ranges::count_if(g.graph().nodes, [](const Node& n) { return class_of(n.op) == OpClass::reduction; }), 2);
}

TEST(Normalize, SaysWhatDoesNotFit) {
  const Build build = [](GraphBuilder&, const std::vector<Value>& v) {
    return std::vector{normalize(v[0], {v[1], v[1]}, v[2], v[1], 1e-5f)};
  };
  EXPECT_THAT(error_of(build, {{{4, 3}, DType::f32}, {{3}, DType::f32}, {{4}, DType::f32}}),
              HasSubstr("[normalize] x is f32[4, 3], gamma is f32[4]; gamma must be f32[3]"));
  EXPECT_EQ(type_of(build, {{{4, 3}, DType::bf16}, {{3}, DType::f32}, {{3}, DType::f32}}).dtype, DType::bf16);
}

TEST(Softmax, SumsToOneAndDoesNotOverflow) {
  const Build build = [](GraphBuilder& g, const std::vector<Value>& x) { return std::vector{g.add(Op::softmax, {x[0]})}; };
  const auto found = evaluate_one(build, {f32({2, 2}, {1000, 1000, std::log(3.0), 0})});
  EXPECT_THAT(found, ElementsAre(0.5, 0.5, testing::DoubleNear(0.75, 1e-6), testing::DoubleNear(0.25, 1e-6)));
  expect_true_gradients(build, {spread({3, 4})});
}

TEST(SoftmaxCrossEntropy, FollowsItsFormulaAndHasTrueGradients) {
  const Build build = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{softmax_cross_entropy(x[0], x[1])}; };
  const auto found = evaluate_one(build, {f32({2, 2}, {0, std::log(3.0), -2000, 2000}), f32({2, 2}, {1, 0, 0, 1})});
  EXPECT_THAT(found, ElementsAre(testing::DoubleNear(std::log(4.0), 1e-6), 0));
  expect_true_gradients(build, {spread({3, 4}), spread({3, 4}, 2)}, 4e-3);
  EXPECT_THAT(error_of(build, {{{3, 4}, DType::f32}, {{3, 5}, DType::f32}}),
              HasSubstr("logits are f32[3, 4], targets f32[3, 5]"));
}

TEST(BatchNorm, UsesTheBatchInTrainingAndItsRunningStatisticsAfterwards) {
  const auto build = [](GraphBuilder& g) { return layers::batch_norm(g, "bn", g.input("x", {{8, 2, 2, 3}, DType::f32}), {}); };
  GraphBuilder training({.training = true}), evaluation({.training = false});
  build(training);
  build(evaluation);
  EXPECT_EQ(training.graph().updates.size(), 2u);
  EXPECT_TRUE(evaluation.graph().updates.empty());
  const auto names = [](const Graph& graph) {
    std::vector<std::string> names;
    for (const Variable& variable : graph.variables) names.push_back(variable.name);
    return names;
  };
  EXPECT_EQ(names(training.graph()), names(evaluation.graph()));
  EXPECT_THAT(names(training.graph()), ElementsAre("bn/gamma", "bn/beta", "bn/mean", "bn/variance"));
}

TEST(BatchNorm, FollowsWithTheMomentumItsAuthorWrote) {
  GraphBuilder g({.training = true});
  layers::batch_norm(g, "bn", g.input("x", {{8, 2, 2, 3}, DType::f32}), {});
  std::vector<float> factors;
  for (const Node& node : g.graph().nodes) {
    if (node.op == Op::constant) factors.push_back(static_cast<float>(node.as<Number>().value));
  }
  EXPECT_THAT(factors, testing::IsSupersetOf({0.9f, 0.1f}));
}

TEST(Layers, DeclareTheirParametersByShape) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2, 8, 8, 4}, DType::f32});
  const Value y = layers::conv(g, "conv", x, {.features = 6, .kernel = {3, 3}, .stride = {2, 2}, .groups = 2, .bias = true});
  EXPECT_EQ(y.shape(), (Shape{2, 4, 4, 6}));
  const Value logits = layers::linear(g, "dense", mean_over_space(y), {.features = 10});
  EXPECT_EQ(logits.shape(), (Shape{2, 10}));
  const auto& variables = g.graph().variables;
  ASSERT_EQ(variables.size(), 4u);
  EXPECT_EQ(variables[0].name, "conv/kernel");
  EXPECT_EQ(variables[0].type.shape, (Shape{3, 3, 2, 6}));
  EXPECT_EQ(variables[0].init.kind, Init::Kind::lecun_normal);
  EXPECT_EQ(variables[2].type.shape, (Shape{6, 10}));
  EXPECT_THROW(layers::conv(g, "odd", x, {.features = 6, .groups = 3}), Error);
  EXPECT_THROW(layers::linear(g, "image", x, {.features = 6}), Error);
}

}  // namespace

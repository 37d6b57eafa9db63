#include "passes/recompute.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>

#include "qfw/nn.h"
#include "qfw/op_definition.h"
#include "support.h"

namespace qfw::testing {
namespace {

/// Residual blocks with dropout and batch normalisation, as many as it takes for segments.
Model blocks(int count) {
  return Model([count](GraphBuilder& g, Value x, std::int64_t classes) {
    x = layers::conv(g, "first", x, {.features = 8, .kernel = {3, 3}});
    for (int i = 0; i < count; ++i) {
      const auto scope = g.scope("block" + std::to_string(i));
      Value y = relu(layers::batch_norm(g, "bn_1", layers::conv(g, "conv_1", x, {.features = 8, .kernel = {3, 3}})));
      if (g.training()) y = y * (random_uniform(g, "dropout", y.shape()) < 0.75);
      y = layers::batch_norm(g, "bn_2", layers::conv(g, "conv_2", y, {.features = 8}));
      x = relu(x + y);
    }
    return layers::linear(g, "dense", flat(x), {.features = classes});
  });
}

/// Of a step on eight images of 16 x 16.
class RecomputeTest : public ::testing::Test {
 protected:
  Graph step(const Evaluator& evaluator, DType compute = DType::f32) const {
    StepDescription step = description(model_, floats_);
    step.images = {8, 16, 16, 4};
    step.quantization.compute = compute;
    return evaluator.expanded(training_graph(step, *sgd_, 1e-4));
  }

  static Evaluator::Values feeds() {
    std::vector<float> images(8 * 16 * 16 * 4), targets(8 * 3);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
    for (std::size_t i = 0; i < 8; ++i) targets[3 * i + i % 3] = 1;
    return {{"images", images}, {"targets", targets}, {"rate", {0.5f}}};
  }

  const Model model_ = blocks(6);
  const Floats floats_{};
  const std::unique_ptr<Optimizer> sgd_ = make<Optimizer>("sgd");
};

std::int64_t repeated(const Graph& graph, auto condition) {
  const std::vector<bool> again = computed_again(graph);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < again.size(); ++i) count += again[i] && condition(graph.nodes[i]) ? 1 : 0;
  return count;
}
std::int64_t repeated(const Graph& graph, Op op) {
  return repeated(graph, [op](const Node& node) { return node.op == op; });
}

TEST_F(RecomputeTest, EveryBitOfTwoStepsIsTheSame) {
  for (const std::string backend : {"reference", "cpu"}) {
    for (const DType compute : {DType::f32, DType::bf16}) {
      Evaluator plain(backend);
      if (backend == "reference" && compute == DType::bf16) continue;  // it takes its time
      const Graph graph = step(plain, compute);
      std::vector<Evaluator::Values> expected;
      for (int i = 0; i < 2; ++i) expected.push_back(plain.run(graph, {}, feeds()));
      EXPECT_NE(expected[0].at("loss"), expected[1].at("loss")) << "it learns";
      for (const Recompute how : {Recompute::elementwise, Recompute::all}) {
        Evaluator evaluator(backend);
        const Graph again = recompute(graph, how);
        EXPECT_GT(repeated(again, Op::relu), 0);
        for (int i = 0; i < 2; ++i) EXPECT_EQ(evaluator.run(again, {}, feeds()), expected[static_cast<std::size_t>(i)]);
        for (const Variable& variable : graph.variables) {
          EXPECT_EQ(evaluator.read(variable.name), plain.read(variable.name)) << variable.name << name_of(how);
        }
      }
    }
  }
}

TEST_F(RecomputeTest, LevelsSayWhatIsRepeated) {
  const Evaluator evaluator;
  const Graph graph = step(evaluator);
  for (const Recompute how : {Recompute::elementwise, Recompute::all}) {
    const Graph made = recompute(graph, how);
    EXPECT_EQ(repeated(made, Op::conv2d) > 0, how == Recompute::all);
    EXPECT_EQ(repeated(made, [](const Node& node) { return class_of(node.op) == OpClass::reduction; }), 0)
        << "statistics are taken once";
    EXPECT_EQ(repeated(made, Op::random_uniform), 0);
    EXPECT_EQ(made.updates.size(), graph.updates.size());
  }
}

TEST_F(RecomputeTest, NoneChangesNothing) {
  const Evaluator evaluator;
  const Graph graph = step(evaluator), made = recompute(graph, Recompute::none);
  EXPECT_EQ(to_string(made), to_string(graph));
  EXPECT_THAT(computed_again(made), ::testing::Each(false));
}

/// The second computation must not begin before the gradient that asks for it.
TEST_F(RecomputeTest, TheSecondComputationStandsBehindAGradient) {
  const Evaluator evaluator;
  const Graph graph = recompute(step(evaluator), Recompute::all);
  const std::vector<bool> again = computed_again(graph);
  const int logits = std::ranges::find(graph.fetches, "logits", &Fetch::name)->use.node;
  int waiting = 0;
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (!again[i]) continue;
    EXPECT_GT(static_cast<int>(i), logits);
    waiting += graph.nodes[i].inputs.size() == 2 && graph.nodes[i].op == Op::reshape;
  }
  EXPECT_GT(waiting, 0);
}

TEST_F(RecomputeTest, AnEvaluationStaysAsItIs) {
  StepDescription step = description(model_, floats_);
  const Graph graph = evaluation_graph(step);
  EXPECT_EQ(to_string(recompute(graph, Recompute::all)), to_string(graph));
}

}  // namespace
}  // namespace qfw::testing

#include "passes/loss_scale.h"

#include <gmock/gmock.h>

#include <limits>

#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class LossScaleTest : public ::testing::Test {
 protected:
  Graph graph(LossScaling scaling, DType compute = DType::f32) const {
    StepDescription step = description(model_, floats_);
    step.quantization.compute = compute;
    return training_graph(step, *sgd_, 1e-4, scaling);
  }
  /// By name, without the scale.
  static std::map<std::string, std::vector<float>> variables(Evaluator& evaluator, const Graph& graph) {
    std::map<std::string, std::vector<float>> all;
    for (const Variable& variable : graph.variables) {
      if (!variable.name.starts_with("loss_scale/")) all[variable.name] = evaluator.read(variable.name);
    }
    return all;
  }

  const Model model_{[](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", relu(layers::batch_norm(g, "bn", flat(x))), {.features = classes});
  }};
  const Floats floats_;
  const std::unique_ptr<Optimizer> sgd_ = make<Optimizer>("sgd");
};

TEST_F(LossScaleTest, ThatIsAPowerOfTwoChangesNoBitOfFloats) {
  Evaluator plain, scaled, adapting;
  const Graph without = graph({});
  for (int step = 0; step < 3; ++step) {
    const auto loss = plain.run(without, {}, batch(0.25f)).at("loss");
    EXPECT_EQ(scaled.run(graph({.scale = 1024}), {}, batch(0.25f)).at("loss"), loss);
    EXPECT_EQ(adapting.run(graph({.scale = 256, .adapts = true}), {}, batch(0.25f)).at("loss"), loss);
  }
  const auto expected = variables(plain, without);
  EXPECT_EQ(variables(scaled, without), expected);
  EXPECT_EQ(variables(adapting, without), expected);
  EXPECT_THAT(expected.at("dense/kernel"), ::testing::Not(Each(0.125f)));
}

TEST_F(LossScaleTest, GrowsAfterManyFiniteSteps) {
  Evaluator evaluator;
  const Graph adapts = graph({.scale = 4, .adapts = true}, DType::f16);
  const auto told = evaluator.run(adapts, {}, batch(0.5f));
  EXPECT_THAT(told.at("loss_scale"), ElementsAre(4));
  EXPECT_THAT(told.at("skipped"), ElementsAre(0));
  EXPECT_THAT(evaluator.read("loss_scale/finite_steps"), ElementsAre(1));
  EXPECT_THAT(evaluator.run(adapts, {{"loss_scale/finite_steps", {1998}}}, batch(0.5f)).at("loss_scale"), ElementsAre(4));
  EXPECT_THAT(evaluator.read("loss_scale/scale"), ElementsAre(4));
  evaluator.run(adapts, {}, batch(0.5f));
  EXPECT_THAT(evaluator.read("loss_scale/scale"), ElementsAre(8));
  EXPECT_THAT(evaluator.read("loss_scale/finite_steps"), ElementsAre(0));
  Evaluator largest;
  largest.run(graph({.scale = 1 << 24, .adapts = true}), {{"loss_scale/finite_steps", {1999}}}, batch(0.5f));
  EXPECT_THAT(largest.read("loss_scale/scale"), ElementsAre(1 << 24)) << "no further";
  EXPECT_THAT(largest.read("loss_scale/finite_steps"), ElementsAre(0));
}

TEST_F(LossScaleTest, HalvesWhereGradientsOverflowAndNothingElseChanges) {
  Evaluator evaluator;
  const Graph adapts = graph({.scale = 1 << 24, .adapts = true}, DType::f16);
  evaluator.run(adapts, {{"loss_scale/scale", {1}}}, batch(0.5f));
  const auto before = variables(evaluator, adapts);
  const auto told = evaluator.run(adapts, {{"loss_scale/scale", {1 << 24}}}, batch(0.5f));
  EXPECT_THAT(told.at("skipped"), ElementsAre(1));
  EXPECT_EQ(variables(evaluator, adapts), before);
  EXPECT_THAT(evaluator.read("loss_scale/scale"), ElementsAre(1 << 23));
  EXPECT_THAT(evaluator.read("loss_scale/finite_steps"), ElementsAre(0));
}

TEST_F(LossScaleTest, StaysWhereTheLossIsNotFinite) {
  Evaluator evaluator;
  const Graph adapts = graph({.scale = 64, .adapts = true}, DType::f16);
  evaluator.run(adapts, {}, batch(0.5f));
  const auto before = variables(evaluator, adapts);
  auto bad = batch(0.5f);
  bad.at("images")[3] = std::numeric_limits<float>::infinity();
  evaluator.run(adapts, {}, bad);
  EXPECT_EQ(variables(evaluator, adapts), before);
  EXPECT_THAT(evaluator.read("loss_scale/scale"), ElementsAre(64));
  EXPECT_THAT(evaluator.read("loss_scale/finite_steps"), ElementsAre(1));
}

}  // namespace
}  // namespace qfw::testing

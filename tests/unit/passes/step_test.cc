#include "passes/step.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Not;

Model counting() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    if (g.training()) g.assign(g.state("steps", {}), g.state("steps", {}) + 1);
    return layers::linear(g, "dense", layers::batch_norm(g, "bn", flat(x)), {.features = classes});
  });
}

TEST(TrainingGraph, ChangesNoVariableInAStepWhoseLossIsNotFinite) {
  const Model model = counting();
  const Floats floats;
  const auto adam = make<Optimizer>("adam");
  const Graph graph = training_graph(description(model, floats), *adam, 1e-4);
  for (const std::string backend : {"reference", "cpu"}) {
    Evaluator evaluator(backend);
    evaluator.run(graph, {}, batch(0.5f));
    EXPECT_THAT(evaluator.read("steps"), ElementsAre(1));
    std::map<std::string, std::vector<float>> before;
    for (const Variable& variable : graph.variables) before[variable.name] = evaluator.read(variable.name);
    EXPECT_THAT(before.at("dense/kernel"), Not(Each(0.125f)));

    auto bad = batch(0.5f);
    bad.at("images")[5] = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(evaluator.run(graph, {}, bad).at("loss")[0]));
    for (const auto& [name, values] : before) EXPECT_EQ(evaluator.read(name), values) << name << " on " << backend;
  }
}

TEST(TrainingGraph, TellsTheLossWithoutWeightDecay) {
  const Model model = counting();
  const Floats floats;
  const auto sgd = make<Optimizer>("sgd");
  Evaluator with, without;
  EXPECT_EQ(with.run(training_graph(description(model, floats), *sgd, 0.5), {}, batch(1)).at("loss"),
            without.run(training_graph(description(model, floats), *sgd, 0), {}, batch(1)).at("loss"));
  EXPECT_NE(with.read("dense/kernel"), without.read("dense/kernel"));
}

TEST(EvaluationGraph, UpdatesNothing) {
  const Model model = counting();
  const Floats floats;
  const Graph graph = evaluation_graph(description(model, floats));
  EXPECT_TRUE(graph.updates.empty());
  EXPECT_FALSE(graph.may_update);
}

TEST(DiagnosisGraph, CountsWhatIsNotFiniteInOrderAndChangesNothing) {
  const Model model = counting();
  const Floats floats;
  const Graph graph = diagnosis_graph(description(model, floats), true);
  EXPECT_TRUE(graph.updates.empty());
  EXPECT_TRUE(graph.training);
  Evaluator evaluator;
  const auto first_of = [&](const Evaluator::Values& variables, const Evaluator::Values& feeds) {
    const auto found = evaluator.run(graph, variables, feeds);
    for (const Fetch& fetch : graph.fetches) {
      if (found.at(fetch.name)[0] != 0) return fetch.name;
    }
    return std::string();
  };
  EXPECT_EQ(first_of({}, batch(0)), "");
  auto bad = batch(0);
  bad.at("images")[5] = std::nanf("");
  EXPECT_EQ(first_of({}, bad), "input (input)");
  std::vector<float> gamma(16, 1);
  gamma[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_of({{"bn/gamma", gamma}}, batch(0)), "bn/gamma (variable)");
  std::vector<float> kernel(48, std::numeric_limits<float>::max());
  EXPECT_EQ(first_of({{"bn/gamma", std::vector<float>(16, 1)}, {"dense/kernel", kernel}}, batch(0)), "dense (dense)");
  EXPECT_THAT(evaluator.read("steps"), ElementsAre(0));
}

}  // namespace
}  // namespace qfw::testing

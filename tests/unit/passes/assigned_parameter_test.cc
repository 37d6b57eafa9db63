#include <gmock/gmock.h>

#include <cmath>

#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::FloatNear;
using ::testing::Not;
using ::testing::Pointwise;

struct Case {
  std::string backend, optimizer;
  double decay;
};
void PrintTo(const Case& c, std::ostream* stream) { *stream << c.backend << " " << c.optimizer << " decay " << c.decay; }

class AssignedParameter : public ::testing::TestWithParam<Case> {};

/// A dense layer whose logits are scaled by a parameter, which starts from the batch if `from_batch`.
Model scaled(bool from_batch) {
  return Model([from_batch](GraphBuilder& g, Value x, std::int64_t classes) {
    const Value logits = layers::linear(g, "dense", flat(x), {.features = classes});
    Value scale = g.parameter("scale", {1}, Init::constant(1e6), {.decay = true});
    if (from_batch) scale = g.assign(scale, broadcast_to(all_reduce(mean(abs(x)), Across::mean), {1}));
    return logits * scale;
  });
}

/// The parameter after the step of a run in which the model assigns it is that of a run which began with the assigned value.
TEST_P(AssignedParameter, IsWhatOptimizerAndDecayStartFrom) {
  const auto& [backend, optimizer_name, decay] = GetParam();
  const auto optimizer = make<Optimizer>(optimizer_name);
  const Floats floats;
  const Model assigning = scaled(true), plain = scaled(false);
  double start = 0;
  const std::vector<float> images = batch(0).at("images");
  for (const float x : images) start += std::abs(x) / 32;
  for (const float rate : {0.f, 0.25f}) {
    Evaluator assigned(backend), given(backend);
    assigned.run(training_graph(description(assigning, floats), *optimizer, decay), {{"scale", {1e6f}}}, batch(rate));
    given.run(training_graph(description(plain, floats), *optimizer, decay), {{"scale", {static_cast<float>(start)}}},
              batch(rate));
    EXPECT_THAT(assigned.read("scale"), Pointwise(FloatNear(1e-6f), given.read("scale"))) << "rate " << rate;
    if (rate == 0) {
      EXPECT_NEAR(assigned.read("scale")[0], start, 1e-6);
    }
    EXPECT_THAT(assigned.read("dense/kernel"), Pointwise(FloatNear(1e-6f), given.read("dense/kernel")));
  }
}

INSTANTIATE_TEST_SUITE_P(All, AssignedParameter,
                         ::testing::Values(Case{"reference", "sgd", 0}, Case{"reference", "sgd", 0.01},
                                           Case{"reference", "adam", 0}, Case{"reference", "adam", 0.01}, Case{"cpu", "sgd", 0},
                                           Case{"cpu", "sgd", 0.01}, Case{"cpu", "adam", 0}, Case{"cpu", "adam", 0.01}));

/// The gradient also counts what reached the parameter before it was assigned.
TEST(AssignedParameterGradient, IsOfAllItsValues) {
  const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    const Value logits = layers::linear(g, "dense", flat(x), {.features = classes});
    const Value before = g.parameter("shift", {3}, Init::zeros());
    const Value after = g.assign(before, before * 0);
    return logits + before + 2 * after;
  });
  const Model once([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", flat(x), {.features = classes}) + 3 * g.parameter("shift", {3}, Init::zeros());
  });
  const Floats floats;
  const auto sgd = make<Optimizer>("sgd", {{"momentum", 0.0}});
  Evaluator twice("reference"), single("reference");
  const Evaluator::Values zero{{"shift", {0, 0, 0}}};
  twice.run(training_graph(description(model, floats), *sgd, 0), zero, batch(1));
  single.run(training_graph(description(once, floats), *sgd, 0), zero, batch(1));
  EXPECT_THAT(twice.read("shift"), Pointwise(FloatNear(1e-6f), single.read("shift")));
  EXPECT_THAT(twice.read("shift")[0], Not(0.f));
}

/// A quantizer plugin whose steps start from the first batch, then learn.
TEST(LearnedStep, StartsFromTheFirstBatchAndIsTrained) {
  const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", flat(x), {.features = classes});
  });
  const auto quantizer = misfit("learned_step");
  for (const std::string backend : {"reference", "cpu"}) {
    const auto optimizer = make<Optimizer>("sgd", {{"momentum", 0.0}});
    Evaluator runner(backend);
    std::vector<float> weights(48);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 5) / 8 - 0.25f;
    const Evaluator::Values first{{"dense/kernel", weights}, {"dense/weights/step", {1e6f}}, {"dense/src/step", {1e6f}}};
    runner.run(training_graph(description(model, *quantizer, 0), *optimizer, 1e-4), first, batch(0));
    double mean = 0;
    for (const float weight : weights) mean += std::abs(weight) / 48;
    const float set = runner.read("dense/weights/step")[0];
    EXPECT_NEAR(set, 2 * mean / std::sqrt(7), 1e-6) << backend;
    runner.run(training_graph(description(model, *quantizer, 1), *optimizer, 1e-4), {}, batch(0.5f));
    const float learned = runner.read("dense/weights/step")[0];
    EXPECT_NE(learned, set) << backend;
    EXPECT_NEAR(learned, set, 0.1) << backend;
  }
}

}  // namespace
}  // namespace qfw::testing

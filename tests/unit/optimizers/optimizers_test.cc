#include <gtest/gtest.h>

#include <cmath>

#include "qfw/optimizer.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using testing::Evaluator;
using testing::make;

constexpr float tight = 2e-6f;

/// Five steps of `optimizer` on one parameter of two elements, whose gradients are fed.
struct Trial {
  Evaluator evaluator;
  std::vector<std::vector<float>> gradients{{0.5f, -2}, {0.25f, 0}, {-1, 1}, {0, 3}, {0.125f, -0.5f}};
  std::vector<std::vector<float>> parameters;  ///< after each step

  Trial(const Optimizer& optimizer, float rate) {
    GraphBuilder g({.training = true});
    const Value parameter = g.parameter("layer/kernel", {2}, Init::constant(1));
    const Value gradient = g.input("gradient", {{2}, DType::f32}, true), rate_value = g.input("rate", {}, true);
    const Optimizer::Trainable all[] = {{parameter, gradient, "layer/kernel"}};
    optimizer.update_all(g, all, rate_value);
    for (const auto& step_gradient : gradients) {
      evaluator.run(g, {}, {{"gradient", step_gradient}, {"rate", {rate}}});
      parameters.push_back(evaluator.read("layer/kernel"));
    }
  }
};

void expect_sgd(double momentum, bool nesterov) {
  const auto optimizer = make<Optimizer>("sgd", {{"momentum", momentum}, {"nesterov", nesterov}});
  Trial trial(*optimizer, 0.1f);
  for (int i = 0; i < 2; ++i) {
    double weight = 1, velocity = 0;
    for (std::size_t t = 0; t < trial.gradients.size(); ++t) {
      const double gradient = trial.gradients[t][i];
      velocity = gradient + momentum * velocity;
      weight -= 0.1 * (nesterov ? gradient + momentum * velocity : velocity);
      EXPECT_NEAR(trial.parameters[t][i], weight, tight)
          << "momentum " << momentum << ", nesterov " << nesterov << ", step " << t;
    }
    if (momentum != 0) {
      EXPECT_NEAR(trial.evaluator.read("optimizer/layer/kernel/velocity")[i], velocity, tight);
    }
  }
}

TEST(Sgd, follows_its_formula) {
  expect_sgd(0.9, true);
  expect_sgd(0.9, false);
  expect_sgd(0, false);
  expect_sgd(0, true);
}

TEST(Sgd, defaults_are_the_documented_ones) {
  Trial trial(*make<Optimizer>("sgd"), 0.1f);
  EXPECT_NEAR(trial.parameters[0][0], 1 - 0.1 * (0.5 + 0.9 * 0.5), tight);
}

TEST(Adam, follows_its_formula) {
  const auto optimizer = make<Optimizer>("adam");
  Trial trial(*optimizer, 0.01f);
  for (int i = 0; i < 2; ++i) {
    double weight = 1, mu = 0, nu = 0;
    for (std::size_t t = 0; t < trial.gradients.size(); ++t) {
      const double gradient = trial.gradients[t][i], count = static_cast<double>(t + 1);
      mu = 0.9 * mu + 0.1 * gradient;
      nu = 0.999 * nu + 0.001 * gradient * gradient;
      weight -= 0.01 * (mu / (1 - std::pow(0.9, count))) / (std::sqrt(nu / (1 - std::pow(0.999, count))) + 1e-8);
      EXPECT_NEAR(trial.parameters[t][i], weight, tight) << "step " << t;
    }
    EXPECT_NEAR(trial.evaluator.read("optimizer/layer/kernel/mu")[i], mu, tight);
    EXPECT_NEAR(trial.evaluator.read("optimizer/layer/kernel/nu")[i], nu, tight);
  }
  EXPECT_EQ(trial.evaluator.read("optimizer/layer/kernel/count"), std::vector<float>{5});
}

TEST(Adam, a_parameter_without_gradient_stays) {
  GraphBuilder g({.training = true});
  const Value parameter = g.parameter("w", {1}, Init::constant(3));
  const Optimizer::Trainable all[] = {{parameter, g.input("gradient", {{1}, DType::f32}, true), "w"}};
  make<Optimizer>("adam")->update_all(g, all, g.input("rate", {}, true));
  Evaluator evaluator;
  evaluator.run(g, {}, {{"gradient", {0}}, {"rate", {1}}});
  EXPECT_EQ(evaluator.read("w"), std::vector<float>{3});
}

}  // namespace
}  // namespace qfw

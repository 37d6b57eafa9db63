#include "passes/code_checks.h"

#include <gmock/gmock.h>

#include "passes/untrained.h"
#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A convolution that the plugin off_grid spoils, and a dense layer.
Model convolutional() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", mean_over_space(layers::conv(g, "conv_1", x, {.features = 2, .kernel = {3, 3}})),
                          {.features = classes});
  });
}

struct Case {
  std::string how;
  float off, not_finite, largest;  ///< of conv_1's 18 weights
};

TEST(CodeChecks, CountWhatIsOffTheGridInTrainingAndEvaluationOnEveryBackend) {
  std::vector<float> kernel(18);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] = static_cast<float>(i % 3) - 1;  // codes -7, 0, 7
  const Model model = convolutional();
  const float lowest = std::numeric_limits<float>::lowest();
  for (const auto& [how, off, not_finite, largest] :
       {Case{"none", 0, 0, lowest}, Case{"fraction", 12, 0, 7 * 0.9f}, Case{"beyond", 6, 0, 10}, Case{"nan", 6, 6, lowest}}) {
    const auto quantizer = misfit("off_grid", {{"how", how}});
    for (const std::string backend : {"reference", "cpu"}) {
      for (const bool training : {true, false}) {
        for (const bool integer : {true, false}) {
          StepDescription step = description(model, *quantizer, 1);
          step.quantization.integer = integer;
          CodeChecks checks = code_checks(step, training);
          ASSERT_EQ(checks.operands.size(), 4u);
          Evaluator evaluator(backend);
          const auto found = evaluator.run(checks.graph, {{"conv_1/kernel", kernel}}, batch(0));
          for (std::size_t i = 0; i < 4; ++i) {
            const bool spoiled = checks.operands[i].path == "conv_1" && checks.operands[i].role == Role::weights;
            if (i > 1 && how == "nan") break;  // what follows a NaN is nobody's fault
            EXPECT_EQ(found.at("off")[i], spoiled ? off : 0) << how << " " << backend << " " << checks.operands[i].path;
            EXPECT_EQ(found.at("not finite")[i], spoiled ? not_finite : 0) << how << " " << backend;
            EXPECT_FLOAT_EQ(found.at("largest")[i], spoiled ? largest : lowest) << how << " " << backend;
          }
        }
      }
    }
  }
}

TEST(CodeChecks, DoNotBlameAQuantizerForWhatItWasGiven) {
  const Model model = convolutional();
  const auto quantizer = misfit("off_grid");
  Evaluator evaluator("reference");
  auto feeds = batch(0);
  feeds.at("images")[3] = std::numeric_limits<float>::quiet_NaN();
  const auto found = evaluator.run(code_checks(description(model, *quantizer, 1), true).graph, {}, feeds);
  EXPECT_THAT(found.at("off"), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(found.at("nan")[0], 1) << "but it is counted";
  EXPECT_EQ(found.at("nan")[1], 0);
}

TEST(Operands, ThatCannotBeRightAreRefusedByLayerRoleAndQuantizer) {
  const Model model = convolutional();
  for (const auto& [how, told] :
       {std::pair{"grid", "a grid from 7 to -7, which ends below its start"},
        std::pair{"half_grid", "a grid from -7 to 7.5, not whole steps apart"},
        std::pair{"scale", "the scale f32[3] for [3, 3, 1, 2]"}, std::pair{"shape", "returned f32[18]"}}) {
    const auto quantizer = misfit("off_grid", {{"how", std::string(how)}});
    try {
      code_checks(description(model, *quantizer, 1), true);
      ADD_FAILURE() << how << " was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("quantizer tested"), HasSubstr("weights of layer conv_1"), HasSubstr(told)));
    }
  }
}

TEST(Untrained, AreParametersThatNoGradientReaches) {
  const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    g.parameter("unused", {2, 2}, Init::zeros());
    const Value logits = layers::linear(g, "dense", flat(x), {.features = classes});
    const Value stopped = stop_gradient(g.parameter("stopped", {classes}, Init::zeros()));
    const Value rounded = round_even(g.parameter("rounded", {classes}, Init::zeros()));
    const Value through = round_even_ste(g.parameter("through", {classes}, Init::zeros()));
    return logits + stopped + rounded + through;
  });
  const Floats floats;
  EXPECT_THAT(parameters_without_gradient(description(model, floats)), ElementsAre("unused", "stopped", "rounded"));
  const Model good = convolutional();
  EXPECT_THAT(parameters_without_gradient(description(good, floats)), ElementsAre());
}

}  // namespace
}  // namespace qfw::testing

#include <gtest/gtest.h>

#include <algorithm>

#include "aqt.h"
#include "parity/tolerances.h"
#include "qfw/error.h"
#include "qfw/schedule.h"
#include "support/aqt_phases.h"
#include "support/evaluate.h"
#include "support/golden.h"

namespace qfw {
namespace {

using testing::make;

Settings settings_of(const golden::Group& group, const std::string& scheduler) {
  std::vector<const char*> names{"base_learning_rate", "warmup_epochs", "cooldown_epochs", "num_epochs"};
  if (scheduler == "piecewise") names.insert(names.end(), {"endlr", "knee_lr", "knee_epochs"});
  Settings settings;
  for (const char* name : names) settings.emplace_back(name, group.number(name));
  if (scheduler == "step") {
    settings.emplace_back("step_lr_coeff", group.number("step_lr_coeff"));
    settings.emplace_back("step_lr_intervals", static_cast<std::int64_t>(group.number("step_lr_intervals")));
  }
  return settings;
}

TEST(LearningRate, agrees_with_the_reference) {
  const auto cases = golden::Group::open("schedules.h5").group("learning_rate").cases();
  ASSERT_FALSE(cases.empty());
  for (const golden::Group& group : cases) {
    const std::string scheduler = group.text("scheduler");
    const auto schedule = make<Schedule>(scheduler, settings_of(group, scheduler));
    const auto steps = group.integers("step");
    const auto expected = group.doubles("lr_float64");
    const double largest = *std::max_element(expected.begin(), expected.end());
    ASSERT_GT(largest, 0) << group.name();
    const auto per_epoch = static_cast<std::int64_t>(group.number("steps_per_epoch"));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Clock clock{.step = steps[i],
                        .epoch = steps[i] / per_epoch,
                        .steps_per_epoch = per_epoch,
                        .total_steps = static_cast<std::int64_t>(group.number("total_steps")),
                        .batch_size = static_cast<std::int64_t>(group.number("batch_size"))};
      const double rate = schedule->value(clock);
      ASSERT_NEAR(rate, expected[i], parity::learning_rate * largest)
          << group.name() << ", " << scheduler << ", step " << steps[i];
    }
  }
}

}  // namespace

namespace aqt {
namespace {

TEST(Phases, bounds_are_updated_when_the_reference_does) {
  const golden::Group all = golden::Group::open("schedules.h5").group("update_bounds");
  for (const golden::Group& group : all.cases()) {
    const Aqt quantizer(automatic(static_cast<std::int64_t>(group.number("activation_bound_start_step")),
                                  static_cast<std::int64_t>(group.number("activation_bound_update_freq"))));
    const auto steps = group.integers("step"), update = group.integers("update");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(has(quantizer.phase(training(steps[i])), Aqt::updating_bounds), update[i] != 0)
          << group.name() << ", step " << steps[i];
    }
  }
  const auto errors = all.integers("errors");
  ASSERT_GT(errors.size(), 0u);
  for (std::size_t i = 0; i < errors.size(); i += 3) {
    const Options options = automatic(errors[i], errors[i + 1]);
    if (errors[i + 2] != 0) {
      EXPECT_THROW(Aqt{options}, Error) << errors[i] << ", " << errors[i + 1];
    } else {
      EXPECT_NO_THROW(Aqt{options}) << errors[i] << ", " << errors[i + 1];
    }
  }
}

TEST(Phases, weights_are_quantized_when_the_reference_does) {
  for (const golden::Group& group : golden::Group::open("schedules.h5").group("quantize_weights").cases()) {
    Options options;
    options.weight_quant_start_step = static_cast<std::int64_t>(group.number("weight_quant_start_step"));
    const Aqt quantizer(options);
    const auto per_epoch = static_cast<std::int64_t>(group.number("steps_per_epoch"));
    const auto steps = group.integers("step"), quantize = group.integers("quantize");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(has(quantizer.phase(training(steps[i], per_epoch)), Aqt::conv_weights), quantize[i] != 0) << group.name();
      // An evaluation right after a step sees the network as that step did.
      ASSERT_EQ(has(quantizer.phase(evaluation(steps[i] + 1, per_epoch)), Aqt::conv_weights), quantize[i] != 0) << group.name();
    }
  }
}

}  // namespace
}  // namespace aqt
}  // namespace qfw

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "qfw/schedule.h"
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
                        .total_steps = static_cast<std::int64_t>(group.number("total_steps"))};
      const double rate = schedule->value(clock) * group.number("batch_size") / 256;
      ASSERT_NEAR(rate, expected[i], 1e-6 * largest) << group.name() << ", " << scheduler << ", step " << steps[i];
    }
  }
}

TEST(LearningRate, warm_up_starts_at_zero_and_cool_down_ends_there) {
  for (const char* name : {"cosine", "linear", "piecewise", "step"}) {
    const auto schedule = make<Schedule>(
        name, {{"num_epochs", 10.0}, {"warmup_epochs", 0.5}, {"cooldown_epochs", 2.0}, {"base_learning_rate", 1.0}});
    const auto at = [&](std::int64_t step) {
      return schedule->value({.step = step, .epoch = step / 100, .steps_per_epoch = 100});
    };
    EXPECT_EQ(at(0), 0) << name;
    EXPECT_NEAR(at(25) / at(50), 0.5, 0.02) << name;
    EXPECT_EQ(at(1000), 0) << name;
    EXPECT_GT(at(999), 0) << name;
    EXPECT_EQ(at(2000), 0) << name << ": a run beyond the course trains no further";
  }
}

TEST(LearningRate, ramps_may_meet_or_overlap) {
  for (const double cooldown : {2.0, 50.0}) {
    const auto schedule =
        make<Schedule>("cosine", {{"num_epochs", 4.0}, {"warmup_epochs", 2.0}, {"cooldown_epochs", cooldown}});
    for (std::int64_t step = 0; step <= 40; ++step) {
      const double rate = schedule->value({.step = step, .epoch = step / 10, .steps_per_epoch = 10});
      EXPECT_TRUE(std::isfinite(rate) && rate >= 0 && rate <= 0.1) << "step " << step << ": " << rate;
    }
  }
}

}  // namespace
}  // namespace qfw

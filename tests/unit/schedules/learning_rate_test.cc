#include <gtest/gtest.h>

#include <cmath>

#include "qfw/schedule.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using testing::make;

TEST(LearningRate, warm_up_starts_at_zero_and_cool_down_ends_there) {
  for (const char* name : {"cosine", "linear", "piecewise", "step"}) {
    const auto schedule = make<Schedule>(
        name, {{"num_epochs", 10.0}, {"warmup_epochs", 0.5}, {"cooldown_epochs", 2.0}, {"base_learning_rate", 1.0}});
    const auto at = [&](std::int64_t step) {
      return schedule->value({.step = step, .epoch = step / 100, .steps_per_epoch = 100, .batch_size = 256});
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
      const double rate = schedule->value({.step = step, .epoch = step / 10, .steps_per_epoch = 10, .batch_size = 256});
      EXPECT_TRUE(std::isfinite(rate) && rate >= 0 && rate <= 0.1) << "step " << step << ": " << rate;
    }
  }
}

TEST(LearningRate, grows_with_the_batch_as_its_option_says) {
  const auto rate = [](std::int64_t batch, Settings settings) {
    settings.emplace_back("warmup_epochs", 0.0);
    settings.emplace_back("base_learning_rate", 0.3);
    return make<Schedule>("cosine", settings)
        ->value({.step = 123, .epoch = 1, .steps_per_epoch = 100, .total_steps = 1000, .batch_size = batch});
  };
  const double unscaled = rate(96, {{"reference_batch", std::int64_t{0}}});
  EXPECT_GT(unscaled, 0.29);
  EXPECT_EQ(rate(7, {{"reference_batch", std::int64_t{0}}}), unscaled);
  EXPECT_EQ(rate(256, {}), unscaled);
  // Bit for bit what the session computed when the scaling was its own.
  for (const std::int64_t batch : {1, 7, 96, 128, 1000})
    EXPECT_EQ(rate(batch, {}), unscaled * static_cast<double>(batch) / 256);
  EXPECT_EQ(rate(96, {{"reference_batch", std::int64_t{32}}}), unscaled * 3);
}

}  // namespace
}  // namespace qfw

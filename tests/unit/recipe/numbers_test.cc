// Numbers that are none, or beyond what is allowed.
#include <gtest/gtest.h>

#include "fake_plugins.h"

namespace qfw::testing {
namespace {

std::string error_of_key(const std::string& key, const std::string& value) {
  const std::string message = error_of(minimal, {key + "=" + value}), start = "command line: " + key + ": ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

TEST(RecipeNumbers, ARunHasALength) {
  EXPECT_EQ(error_of_key("train.epochs", "0"), "0 is too small, must be above 0");
  EXPECT_EQ(error_of_key("train.epochs", "-0.0"), "-0 is too small, must be above 0");
  EXPECT_EQ(error_of_key("train.epochs", "-2"), "-2 is too small, must be above 0");
  EXPECT_EQ(error_of_key("train.epochs", "1e18"), "1e+18 is too large, must be at most 1e+09");
  EXPECT_EQ(error_of_key("train.steps", "0"), "0 is too small, must be at least 1");
  EXPECT_EQ(error_of_key("train.epochs", "1e-3"), "");
  EXPECT_EQ(error_of_key("train.steps", "1"), "");
  EXPECT_EQ(error_of_key("train.early_stop_steps", "0"), "");
}

TEST(RecipeNumbers, AreFinite) {
  for (const std::string value : {"inf", "-inf", "Infinity", "nan", "NAN", "-nan"})
    EXPECT_EQ(error_of_key("schedule.base_learning_rate", value), "'" + value + "' is not a finite number");
  EXPECT_EQ(error_of_key("schedule.base_learning_rate", "1e999"), "'1e999' is beyond what a number can hold");
  EXPECT_EQ(error_of_key("run.seed", "9223372036854775808"), "'9223372036854775808' is beyond what an integer can hold");
  EXPECT_EQ(error_of_key("run.seed", "9223372036854775807"), "");
  EXPECT_EQ(error_of_key("run.seed", "nan"), "'nan' is not an integer");
  EXPECT_EQ(error_of_key("train.steps", "4\""), "'4\"' is not an integer");
}

TEST(RecipeNumbers, LongOnesAreShortenedInMessages) {
  const std::string part(100, 'x');
  EXPECT_EQ(error_of_key("train.steps", std::string(100'000, 'x')), "'" + part + "..." + part + "' is not an integer");
}

}  // namespace
}  // namespace qfw::testing

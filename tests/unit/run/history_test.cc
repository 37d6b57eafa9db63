#include "run/history.h"

#include <gtest/gtest.h>

#include <limits>

#include "qfw/error.h"

namespace qfw {
namespace {

TEST(History, TheBestIsOfThePhaseThatTheRunEndsIn) {
  History history;
  history.ends_in(2);
  EXPECT_FALSE(history.add(10, 0.9, 0.1, false)) << "a float phase";
  EXPECT_EQ(history.best_accuracy, std::nullopt);
  EXPECT_EQ(history.eval_accuracy, 0.9);
  EXPECT_TRUE(history.add(20, 0.5, 0.7, true));
  EXPECT_FALSE(history.add(30, 0.4, 0.8, true));
  EXPECT_EQ(history.best_accuracy, 0.5);
  EXPECT_EQ(history.best_step, 20);
  EXPECT_EQ(history.best_smoothed_step, 20);
}

TEST(History, ALongerRunThatEndsInAnotherPhaseHasNoBestYet) {
  History history;
  history.ends_in(1);
  history.add(10, 0.9, 0.1, true);
  history.ends_in(1);
  EXPECT_EQ(history.best_accuracy, 0.9);
  history.ends_in(2);
  EXPECT_EQ(history.best_accuracy, std::nullopt);
  EXPECT_TRUE(history.add(20, 0.5, 0.7, true));
}

TEST(History, TheSmoothedAccuracyIsAnAverageWithoutBias) {
  History history;
  history.add(10, 0.5, 1, true);
  EXPECT_DOUBLE_EQ(*history.best_smoothed, 0.5) << "not drawn towards a beginning at 0";
  history.add(20, 1, 1, true);
  EXPECT_DOUBLE_EQ(*history.best_smoothed, (0.4 * 1 + 0.6 * 0.4 * 0.5) / (0.4 + 0.6 * 0.4));
  EXPECT_EQ(history.best_smoothed_step, 20);
  EXPECT_FALSE(history.add(30, 1, 0.5, true)) << "equal is not better";
  EXPECT_EQ(history.best_step, 20);
  EXPECT_EQ(history.best_smoothed_step, 30);
}

TEST(History, WhatIsNoNumberIsNeverTheBest) {
  History history;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(history.add(10, nan, 0.1, true), Error);
  EXPECT_THROW(history.add(10, 0.5, std::numeric_limits<double>::infinity(), true), Error);
  EXPECT_EQ(history.eval_step, -1);
  EXPECT_EQ(history.best_accuracy, std::nullopt);
}

TEST(History, ARunWithoutEvaluationHasNone) {
  const History history = History::from_metrics({{"something", 3}});
  EXPECT_EQ(history.eval_step, -1);
  EXPECT_EQ(history.eval_accuracy, std::nullopt);
  EXPECT_EQ(history.first_nan_step, std::nullopt);
}

TEST(History, SurvivesACheckpoint) {
  History history;
  history.ends_in(4000000000u);
  history.add(10, 0.9, 0.1, false);
  EXPECT_EQ(History::from_metrics(history.to_metrics()).to_metrics(), history.to_metrics());
  EXPECT_EQ(History::from_metrics(history.to_metrics()).best_accuracy, std::nullopt);
  history.add(20, 0.5, 0.7, true);
  history.first_nan_step = 21;
  const History back = History::from_metrics(history.to_metrics());
  EXPECT_EQ(back.to_metrics(), history.to_metrics());
  EXPECT_EQ(back.best_phase, 4000000000u);
  EXPECT_EQ(back.eval_step, 20);
}

}  // namespace
}  // namespace qfw

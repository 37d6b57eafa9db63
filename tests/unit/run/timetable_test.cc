#include "run/timetable.h"

#include <gmock/gmock.h>

#include <vector>

namespace qfw {
namespace {

using ::testing::ElementsAre;

/// Completed steps after which a run of so many steps evaluates.
std::vector<std::int64_t> evaluated(const EvalSettings& eval, std::int64_t epoch, std::int64_t total) {
  std::vector<std::int64_t> after;
  for (std::int64_t step = 0; step < total; ++step) {
    if (evaluates_after(eval, step, epoch, total)) after.push_back(step + 1);
  }
  return after;
}

EvalSettings times(std::int64_t per_epoch, std::int64_t late, bool first = false) {
  EvalSettings eval;
  eval.per_epoch = per_epoch;
  eval.per_epoch_late = late;
  eval.after_first_step = first;
  return eval;
}

TEST(Timetable, EvaluatesAtTheEndOfPartsOfAnEpoch) {
  EXPECT_THAT(evaluated(times(1, 1), 10, 30), ElementsAre(10, 20, 30));
  EXPECT_THAT(evaluated(times(2, 2), 10, 20), ElementsAre(5, 10, 15, 20));
  EXPECT_THAT(evaluated(times(4, 4), 10, 10), ElementsAre(3, 5, 8, 10));  // as many as asked for
  EXPECT_THAT(evaluated(times(0, 0), 10, 30), ElementsAre());
}

TEST(Timetable, MorePartsThanStepsAreOneEach) { EXPECT_THAT(evaluated(times(99, 99), 3, 4), ElementsAre(1, 2, 3, 4)); }

TEST(Timetable, TheLastTenthHasItsOwnNumber) {
  EXPECT_THAT(evaluated(times(1, 5), 10, 30), ElementsAre(10, 20, 30));
  EXPECT_THAT(evaluated(times(0, 5), 10, 40), ElementsAre(38, 40));
}

/// As the original: after steps 0, 117, 234, ... of an epoch of 468, the first being 0.
TEST(Timetable, TheOriginalEvaluatesAfterTheFirstStepOfParts) {
  EXPECT_THAT(evaluated(times(1, 1, true), 10, 30), ElementsAre(1, 11, 21));
  EXPECT_THAT(evaluated(times(2, 2, true), 10, 20), ElementsAre(1, 6, 11, 16));
  EXPECT_THAT(evaluated(times(4, 4, true), 10, 10), ElementsAre(1, 3, 5, 7, 9));
  EXPECT_THAT(evaluated(times(99, 99, true), 3, 4), ElementsAre(1, 2, 3, 4));
}

TEST(Timetable, EveryEpochsComesBesides) {
  EvalSettings eval = times(1, 1, true);
  eval.every_epochs = 2;
  EXPECT_THAT(evaluated(eval, 10, 40), ElementsAre(1, 11, 20, 21, 31, 40));
}

}  // namespace
}  // namespace qfw

#include "run/doing.h"

#include <gmock/gmock.h>

namespace qfw {
namespace {

using What = Doing::What;

TEST(Doing, SaysWhatAStopInAStepCosts) {
  Doing doing;
  doing.begin(What::stepping, 0);
  EXPECT_EQ(doing.answer("Ctrl-C"),
            "stopping: after this step a checkpoint is saved; Ctrl-C again stops at once and loses this step");
  doing.begin(What::stepping, 3, 12.3);
  EXPECT_EQ(doing.answer("SIGTERM"),
            "stopping: after this step (about 12 s) a checkpoint is saved; SIGTERM again stops at once and loses all steps");
  doing.saved(3);
  doing.begin(What::stepping, 7, 180.4);
  EXPECT_EQ(doing.answer("Ctrl-C"),
            "stopping: after this step (about 3:00) a checkpoint is saved; Ctrl-C again stops at once and loses the steps "
            "since step 3");
  doing.saved(7);
  EXPECT_THAT(doing.answer("Ctrl-C"), testing::EndsWith("and loses this step"));
}

TEST(Doing, SaysWhatAStopCostsElsewhere) {
  Doing doing;
  EXPECT_EQ(doing.answer("Ctrl-C"), "stopping: before the next step; Ctrl-C again stops at once");
  doing.begin(What::compiling, 0);
  EXPECT_EQ(doing.answer("Ctrl-C"), "stopping: when the next step is compiled; Ctrl-C again stops at once");
  doing.begin(What::compiling, 9);
  EXPECT_EQ(doing.answer("Ctrl-C"),
            "stopping: when the next step is compiled, a checkpoint is saved; Ctrl-C again stops at once and loses all steps");
  doing.begin(What::saving, 9);
  doing.saved(4);
  EXPECT_EQ(doing.answer("SIGHUP"),
            "stopping: when the checkpoint of step 9 is saved; SIGHUP again stops at once and loses the steps since step 4");
  doing.saved(9);
  doing.begin(What::evaluating, 9);
  EXPECT_EQ(doing.answer("Ctrl-C"),
            "stopping: after this batch of the evaluation; the checkpoint of step 9 is there; Ctrl-C again stops at once");
}

}  // namespace
}  // namespace qfw

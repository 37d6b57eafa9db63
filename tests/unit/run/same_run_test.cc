#include "run/same_run.h"

#include <gmock/gmock.h>

#include <cstring>

#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<CheckpointVariable> stored = {{"dense/bias", {{10}, DType::f32}}, {"dense/kernel", {{8, 10}, DType::f32}}};

std::string refusal(const std::vector<CheckpointVariable>& wanted) {
  return test::message_of(Error::Category::usage,
                          [&] { check_same_variables(stored, wanted, "r/checkpoints/step_000000009.h5"); });
}

TEST(SameVariables, InAnyOrder) { check_same_variables(stored, {stored[1], stored[0]}, "x.h5"); }

TEST(SameVariables, AnotherShapeOrTypeIsRefused) {
  EXPECT_THAT(refusal({stored[0], {"dense/kernel", {{8, 5}, DType::f32}}}),
              AllOf(HasSubstr("f32[8, 10]"), HasSubstr("f32[8, 5]"), HasSubstr("step_000000009.h5"), HasSubstr("--run.dir")));
  EXPECT_THAT(refusal({stored[0], {"dense/kernel", {{8, 10}, DType::s32}}}), HasSubstr("s32[8, 10]"));
}

TEST(SameVariables, OneMoreOrFewerIsRefused) {
  EXPECT_THAT(refusal({stored[0]}), AllOf(HasSubstr("it has dense/kernel f32[8, 10]"), HasSubstr("asks for nothing")));
  EXPECT_THAT(refusal({stored[0], stored[1], {"dense/step", {{}, DType::f32}}}),
              AllOf(HasSubstr("it has nothing"), HasSubstr("asks for dense/step")));
}

const std::filesystem::path checkpoint = "r/checkpoints/step_000000009.h5";

TEST(SameRun, WhatDecidesTheCourseOfTrainingMustBeEqual) {
  const test::TemporaryFolder folder;
  const std::string then = test::micro_recipe(folder.path()).text(false);
  check_same_run(then, test::micro_recipe(folder.path()), checkpoint);
  const auto refusal = [&](const std::vector<std::string>& overrides) {
    return test::message_of(Error::Category::usage,
                            [&] { check_same_run(then, test::micro_recipe(folder.path(), overrides), checkpoint); });
  };
  EXPECT_THAT(refusal({"schedule.base_learning_rate=0.2"}),
              AllOf(HasSubstr("schedule.base_learning_rate"), HasSubstr("0.1"), HasSubstr("0.2")));
  for (const char* other : {"quantizer.weight_prec=2", "model.num_filters=8", "dataset.height=32", "train.batch_size=4",
                            "optimizer.weight_decay=0.5", "augment.name=shift_flip"}) {
    const std::string key(other, std::strchr(other, '=') - other);
    EXPECT_THAT(refusal({other}), HasSubstr(key)) << other;
  }
  EXPECT_THAT(refusal({"schedule.base_learning_rate=0.2", "quantizer.weight_prec=2"}),
              AllOf(HasSubstr("schedule.base_learning_rate"), HasSubstr("quantizer.weight_prec")));
}

TEST(SameRun, LengthEvaluationAndBackendMayDiffer) {
  const test::TemporaryFolder folder;
  const std::string then = test::micro_recipe(folder.path()).text(false);
  check_same_run(then,
                 test::micro_recipe(folder.path(), {"train.steps=5", "eval.batch_size=4", "checkpoint.keep=2",
                                                    "metrics.every_steps=7", "backend.threads=2"}),
                 checkpoint);
}

TEST(SameRun, AnotherSeedIsRefusedWhereOneIsRecorded) {
  const test::TemporaryFolder folder;
  const Recipe recipe = test::micro_recipe(folder.path(), {"run.seed=9007199254740993"});  // no double is
  check_same_seed(std::nullopt, recipe, checkpoint);
  check_same_seed(9007199254740993, recipe, checkpoint);
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { check_same_seed(9007199254740992, recipe, checkpoint); }),
              AllOf(HasSubstr("run.seed = 9007199254740992, now it is 9007199254740993"), HasSubstr("--run.dir")));
}

}  // namespace
}  // namespace qfw

#include "run/same_run.h"

#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::vector<CheckpointVariable> stored = {{"dense/bias", {{10}, DType::f32}}, {"dense/kernel", {{8, 10}, DType::f32}}};

std::string refusal(const std::vector<CheckpointVariable>& wanted) {
  const test::TemporaryFolder folder;
  const Recipe recipe = test::micro_recipe(folder.path());
  return test::message_of(Error::Category::usage,
                          [&] { check_same_variables(stored, wanted, recipe, "r/checkpoints/step_000000009.h5"); });
}

TEST(SameVariables, InAnyOrder) {
  const test::TemporaryFolder folder;
  check_same_variables(stored, {stored[1], stored[0]}, test::micro_recipe(folder.path()), "x.h5");
}

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
  EXPECT_THAT(check_same_run(then, test::micro_recipe(folder.path()), checkpoint), IsEmpty());
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
  const Recipe other = test::micro_recipe(
      folder.path(), {"train.steps=5", "eval.batch_size=4", "checkpoint.keep=2", "metrics.every_steps=7", "backend.threads=2"});
  EXPECT_THAT(check_same_run(then, other, checkpoint),
              ElementsAre("backend.threads was 1, is 2", "checkpoint.keep was 9, is 2", "eval.batch_size was 8, is 4",
                          "metrics.every_steps was 1, is 7", "train.steps was 6, is 5"));
}

TEST(SameRun, AnotherSeedIsRefusedWhereOneIsRecorded) {
  const test::TemporaryFolder folder;
  const Recipe recipe = test::micro_recipe(folder.path(), {"run.seed=9007199254740993"});  // no double is
  check_same_seed(std::nullopt, recipe, checkpoint);
  check_same_seed(9007199254740993, recipe, checkpoint);
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { check_same_seed(9007199254740992, recipe, checkpoint); }),
              AllOf(HasSubstr("run.seed = 9007199254740992, now it is 9007199254740993"), HasSubstr("--run.dir")));
}

/// What `overrides` make of the run in FOLDER/r.
std::string refused(const test::TemporaryFolder& folder, const std::vector<std::string>& overrides) {
  const std::string then = test::micro_recipe(folder.path()).text(false);
  return test::message_of(Error::Category::usage,
                          [&] { check_same_run(then, test::micro_recipe(folder.path(), overrides), checkpoint); });
}

TEST(SameRun, TheErrorEndsWithAnOptionForAFolderThatIsFree) {
  const test::TemporaryFolder folder;
  const std::string option = "; for a run of its own add --run.dir=" + (folder.path() / "r").string();
  EXPECT_THAT(refused(folder, {"quantizer.name=none"}), EndsWith(option + "-none"));
  EXPECT_THAT(refused(folder, {"schedule.num_epochs=4"}), EndsWith(option + "-num_epochs-4"));
  EXPECT_THAT(refused(folder, {"layer:dense.weight_prec=8"}), EndsWith(option + "-dense.weight_prec-8"));
  EXPECT_THAT(refused(folder, {"optimizer.name=adam", "train.batch_size=4"}), EndsWith(option + "-adam-batch_size-4"));
  std::filesystem::create_directory(folder.path() / "r-none");
  EXPECT_THAT(refused(folder, {"quantizer.name=none"}), EndsWith(option + "-none-2"));
  std::filesystem::create_symlink("nowhere", folder.path() / "r-none-2");
  EXPECT_THAT(refused(folder, {"quantizer.name=none"}), EndsWith(option + "-none-3"));
}

TEST(SameRun, AnotherPluginIsOneDifference) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(refused(folder, {"optimizer.name=adam"}),
              AllOf(HasSubstr("optimizer.name was sgd, is adam"), Not(HasSubstr("beta1")), Not(HasSubstr("momentum"))));
  EXPECT_THAT(refused(folder, {"optimizer.name=adam", "optimizer.beta1=0.5"}), HasSubstr("optimizer.beta1 was absent, is 0.5"));
}

TEST(SameRun, OfManyDifferencesSomeAreTold) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(refused(folder, {"schedule.base_learning_rate=0.2", "quantizer.weight_prec=2", "quantizer.act_prec=2",
                               "train.batch_size=4", "optimizer.weight_decay=0.5", "augment.name=shift_flip"}),
              AllOf(HasSubstr("another recipe: augment.name was none, is shift_flip; "), HasSubstr("; and 2 more")));
}

TEST(OwnFolder, IsSafeInAShellAndForTheFileSystem) {
  const test::TemporaryFolder folder;
  const auto option = [&](const std::string& run, const std::vector<std::string>& words) {
    return own_folder_option(test::micro_recipe(folder.path(), {"run.dir=" + run}), words);
  };
  EXPECT_EQ(option("runs/a/", {"../$(x) y"}), "--run.dir=runs/a-..-x-y");
  EXPECT_EQ(option("runs/it's here", {}), "'--run.dir=runs/it'\\''s here-other'");
  EXPECT_EQ(option("runs/a", {"", "//"}), "--run.dir=runs/a-other");
  EXPECT_LT(option("runs/" + std::string(250, 'x'), {std::string(250, 'y')}).size(), 240);
}

/// The warnings of `say` in a current folder of its own.
std::string warnings(const std::filesystem::path& folder, const std::function<void()>& say) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  ::testing::internal::CaptureStderr();
  say();
  std::filesystem::current_path(before);
  return ::testing::internal::GetCapturedStderr();
}

TEST(OlderRun, UnderTheFilesNameAloneIsPointedAt) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "recipes" / "a");
  const Recipe recipe = test::micro_recipe(folder.path() / "recipes" / "a", {"run.dir="});
  ASSERT_EQ(recipe.run_dir(), "runs/a/micro");
  const auto say = [&] { say_where_older_run_is(recipe); };
  EXPECT_EQ(warnings(folder.path(), say), "");

  const auto older = folder.path() / "runs" / "micro";
  std::filesystem::create_directories(older / "checkpoints");
  std::ofstream(older / "checkpoints" / "step_000000009.h5") << "looked at by name alone";
  std::ofstream(older / "recipe.ini") << recipe.text();
  EXPECT_THAT(warnings(folder.path(), say), HasSubstr("to go on with that one add --run.dir=runs/micro"));

  std::ofstream(older / "recipe.ini") << test::micro_recipe(folder.path(), {"run.dir=", "run.seed=5"}).text();
  EXPECT_EQ(warnings(folder.path(), say), "");  // no run of this recipe
  std::ofstream(older / "recipe.ini") << test::micro_recipe(folder.path(), {"run.dir=", "train.batch_size=4"}).text();
  EXPECT_EQ(warnings(folder.path(), say), "");
  std::ofstream(older / "recipe.ini") << recipe.text();
  std::filesystem::create_directories(folder.path() / "runs" / "a" / "micro");
  EXPECT_EQ(warnings(folder.path(), say), "");  // it has a folder of its own by now
}

TEST(OtherFile, OfTheSameNameIsNoticed) {
  const test::TemporaryFolder folder;
  for (const char* place : {"a/recipes", "b/recipes"}) std::filesystem::create_directories(folder.path() / place);
  const Recipe first = test::micro_recipe(folder.path() / "a" / "recipes", {"run.dir="});
  const Recipe second = test::micro_recipe(folder.path() / "b" / "recipes", {"run.dir="});
  ASSERT_EQ(first.run_dir(), second.run_dir());
  const auto say = [&](const Recipe& recipe) {
    return warnings(folder.path(), [&] { say_if_of_another_file(folder.path(), recipe); });
  };
  EXPECT_EQ(say(second), "");  // nothing is known of the last start
  std::ofstream(folder.path() / "setup.json") << "{\"recipe\": \"" << first.label() << "\"}";
  EXPECT_EQ(say(first), "");
  EXPECT_THAT(say(second),
              AllOf(HasSubstr("goes on with the run of " + first.label()), HasSubstr("--run.dir=runs/micro-other")));
  std::ofstream(folder.path() / "setup.json") << "{";
  EXPECT_EQ(say(second), "");
}

}  // namespace
}  // namespace qfw

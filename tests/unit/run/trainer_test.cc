#include "run/trainer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>

#include "io/checkpoint_folder.h"
#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using Told = std::vector<std::string>;

/// Writes down what it is told, and does something at one of these.
class Witness final : public RunObserver {
 public:
  Witness(Told& told, std::string at, std::function<void()> act) : told_(told), at_(std::move(at)), act_(std::move(act)) {}

  void busy(const RunView& run, const Busy& busy) override {
    if (busy.with == Busy::With::compiling && !run.session.has_training(0)) note("compiling");
  }
  void started(const RunView& run) override { note(fmt::format("started after {}", run.completed)); }
  void step(const RunView& run, const StepResult& step) override {
    EXPECT_EQ(run.completed, step.number + 1);
    EXPECT_GT(run.speed.recent, 0);
    note(fmt::format("step {}", run.completed));
  }
  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    EXPECT_EQ(run.history.eval_step, run.completed);
    EXPECT_EQ(run.history.eval_accuracy, evaluation.scores.top1());
    EXPECT_EQ(evaluation.scores.examples(), 20);
    note(fmt::format("evaluated after {}", run.completed));
  }
  void saved(const RunView& run, const fs::path& path) override {
    EXPECT_EQ(Checkpoint(path).info().step, run.completed) << "it is there";
    if (path != run.folder.best()) note(fmt::format("saved {}", run.completed));
  }
  void ended(const RunView& run, Ending ending, const std::string& error) override {
    constexpr const char* names[] = {"finished", "interrupted", "diverged", "failed"};
    EXPECT_EQ(error.empty(), ending == Ending::finished || ending == Ending::interrupted);
    note(fmt::format("{} after {}", names[static_cast<int>(ending)], run.completed));
  }

 private:
  void note(const std::string& what) {
    told_.push_back(what);
    if (what == at_) act_();
  }

  Told& told_;
  std::string at_;
  std::function<void()> act_;
};

class TrainerTest : public ::testing::Test {
 protected:
  /// One start of the run; what a witness of it is told is in `told_`.
  Trainer::Outcome run(const std::vector<std::string>& overrides = {}, const std::string& at = {},
                       const std::function<void()>& act = {}) {
    told_.clear();
    Trainer trainer(test::micro_recipe(folder_.path(), overrides));
    trainer.add(std::make_unique<Witness>(told_, at, act));
    return trainer.run();
  }
  static void interrupt() { std::raise(SIGINT); }

  /// The lines of the series but for their times.
  std::vector<std::string> series() const {
    std::ifstream file(folder_.path() / "r/series.csv");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      const bool evaluation = line.find(",,,,,") != std::string::npos;
      const auto first = line.find(','), second = line.find(',', first + 1), third = line.find(',', second + 1);
      lines.push_back(line.substr(0, first) + (evaluation ? " evaluation" : "") + line.substr(third));
    }
    return lines;
  }
  std::string text_of(const fs::path& name) const {
    std::ifstream file(folder_.path() / "r" / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string report() const { return text_of("report.json"); }
  /// Of all files but the lock, by their names.
  std::map<std::string, std::string> contents() const {
    const fs::path top = folder_.path() / "r";
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const fs::path name = entry.path().lexically_relative(top);
      if (entry.is_regular_file() && name != ".lock") all[name.string()] = text_of(name);
    }
    return all;
  }

  test::TemporaryFolder folder_;
  Told told_;
};

const Told whole{
    "compiling", "started after 0",   "step 1", "step 2", "saved 2", "evaluated after 2", "step 3",  "step 4",
    "saved 4",   "evaluated after 4", "step 5", "step 6", "saved 6", "evaluated after 6", "saved 6", "finished after 6"};

TEST_F(TrainerTest, ObserversAreToldInThePromisedOrder) {
  EXPECT_EQ(run(), Trainer::Outcome::finished);
  EXPECT_EQ(told_, whole);
  EXPECT_THAT(report(), HasSubstr("\"series\": \"series.csv\""));
  EXPECT_EQ(run(), Trainer::Outcome::already_finished);
  EXPECT_THAT(told_, ElementsAre());
}

TEST_F(TrainerTest, AnInterruptedRunGoesOnAndItsSeriesIsThatOfAWholeOne) {
  run();
  const auto wanted = series();
  ASSERT_EQ(wanted.size(), 10u) << "a header, six steps, three evaluations";
  for (const std::string at : {"started after 0", "step 1", "step 2", "saved 2", "evaluated after 2", "step 3", "saved 6"}) {
    fs::remove_all(folder_.path() / "r");
    EXPECT_EQ(run({}, at, interrupt), Trainer::Outcome::interrupted) << at;
    EXPECT_EQ(told_.front(), "compiling");
    EXPECT_THAT(told_.back(), ::testing::StartsWith("interrupted after")) << at;
    EXPECT_EQ(std::ranges::count_if(told_, [](const auto& what) { return what.starts_with("interrupted"); }), 1);
    EXPECT_EQ(run(), Trainer::Outcome::finished) << at;
    EXPECT_EQ(series(), wanted) << at;
  }
}

TEST_F(TrainerTest, AResumedRunBeginsWithTheEvaluationThatWasCutShort) {
  EXPECT_EQ(run({}, "saved 4", interrupt), Trainer::Outcome::interrupted);
  EXPECT_EQ(told_, (Told{"compiling", "started after 0", "step 1", "step 2", "saved 2", "evaluated after 2", "step 3", "step 4",
                         "saved 4", "interrupted after 4"}));
  run();
  EXPECT_EQ(told_, (Told{"compiling", "started after 4", "evaluated after 4", "step 5", "step 6", "saved 6",
                         "evaluated after 6", "saved 6", "finished after 6"}));
}

/// Phases begin with steps 3 and 4.
TEST_F(TrainerTest, AStartCompilesTheStepsOfThePhasesThatAreLeft) {
  using Steps = std::vector<std::int64_t>;
  const std::vector<std::string> limited{"train.recompute=auto", "train.memory_limit_mib=1000"};
  for (const auto& overrides : {std::vector<std::string>(), limited}) {
    const auto compiled = [&](const std::string& at) {
      ::testing::internal::CaptureStderr();
      run(overrides, at, interrupt);
      std::istringstream log(::testing::internal::GetCapturedStderr());
      Steps steps;
      std::int64_t step = 0;
      for (std::string line; std::getline(log, line);) {
        const bool says_it = line.find(": compiling a training step") != std::string::npos;
        if (says_it && std::sscanf(line.c_str(), "[info] step %ld", &step) == 1) steps.push_back(step);
      }
      return steps;
    };
    const bool ahead = !overrides.empty();  // to know what later phases need
    EXPECT_EQ(compiled("step 1"), ahead ? Steps({0, 3, 4}) : Steps{0});
    EXPECT_EQ(compiled("step 2"), ahead ? Steps({1, 3, 4}) : Steps{1});
    EXPECT_EQ(compiled("step 4"), Steps({2, 3, 4}));
    EXPECT_EQ(compiled("step 5"), Steps{4});
    EXPECT_EQ(compiled("saved 6"), Steps{5});
    EXPECT_EQ(compiled(""), Steps{5}) << "an evaluation is left";
    EXPECT_EQ(compiled(""), Steps());
    fs::remove_all(folder_.path() / "r");
  }
}

TEST_F(TrainerTest, FromAnOlderCheckpointTheSeriesHasEachLineOnce) {
  const std::vector<std::string> each_step{"checkpoint.every_steps=1"};
  run(each_step);
  const auto wanted = series();
  for (int left = 5; left >= 1; --left) {
    fs::remove(checkpoint_path(folder_.path() / "r/checkpoints", left + 1));
    std::ofstream(folder_.path() / "r/series.csv", std::ios::app) << "7,9.1";  // and what a kill left
    EXPECT_EQ(run(each_step), Trainer::Outcome::finished);
    EXPECT_EQ(told_.at(1), fmt::format("started after {}", left));
    EXPECT_EQ(series(), wanted) << left;
    for (int step = left + 1; step <= 6; ++step) fs::remove(checkpoint_path(folder_.path() / "r/checkpoints", step));
    if (left > 1) continue;
    for (const char* name : {"checkpoints", "best.h5", "report.json"}) fs::remove_all(folder_.path() / "r" / name);
    fs::remove(folder_.path() / "r/series.csv");  // a run of before there were any
    EXPECT_EQ(run(each_step), Trainer::Outcome::finished);
    EXPECT_EQ(series(), wanted);
  }
}

/// Whoever looks on while the first step is compiled finds a run, and what it does.
TEST_F(TrainerTest, TheFolderIsThatOfARunBeforeAnythingIsCompiled) {
  std::string recipe, status;
  run({}, "compiling", [&] {
    recipe = text_of("recipe.ini");
    status = text_of("status.json");
  });
  EXPECT_EQ(recipe, text_of("recipe.ini"));
  EXPECT_THAT(status, HasSubstr("\"state\": \"compiling\""));
}

TEST_F(TrainerTest, ARefusedStartChangesNothingButTheLockAndCompilesNothing) {
  run();
  std::ofstream(folder_.path() / "r/.report.json.qfw-tmp.1.0") << "what a killed process left";
  const auto before = contents();
  for (const std::vector<std::string>& other : {std::vector<std::string>{"quantizer.weight_prec=2"}, {"run.seed=5"}}) {
    ::testing::internal::CaptureStderr();
    test::message_of(Error::Category::usage, [&] { run(other); });
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("compiling")));
    EXPECT_THAT(told_, ElementsAre());
    EXPECT_EQ(contents(), before);
  }
  fs::remove_all(folder_.path() / "r/checkpoints");
  const auto results = contents();
  test::message_of(Error::Category::usage, [&] { run(); });
  EXPECT_EQ(contents(), results);
  EXPECT_FALSE(fs::exists(folder_.path() / "r/checkpoints"));
}

TEST_F(TrainerTest, AFinishedRunSaysWhatItDoesNotApplyAndMendsItsFiles) {
  run();
  const std::string recipe = text_of("recipe.ini");
  for (const char* name : {"report.json", "status.json", "recipe.ini"}) {
    std::ofstream(folder_.path() / "r" / name) << "";
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run(), Trainer::Outcome::already_finished);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), AllOf(Not(HasSubstr("not applied")), Not(HasSubstr("compiling"))));
    EXPECT_THAT(text_of("report.json"), HasSubstr("\"status\": \"finished\""));
    EXPECT_THAT(text_of("status.json"), HasSubstr("\"state\": \"finished\""));
    EXPECT_EQ(text_of("recipe.ini"), recipe);
  }
  const auto before = contents();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run({"eval.batch_size=4", "train.steps=5"}), Trainer::Outcome::already_finished);
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      AllOf(HasSubstr("not applied: eval.batch_size was 8, is 4; train.steps was 6, is 5"), Not(HasSubstr("continuing with"))));
  EXPECT_EQ(contents()["recipe.ini"], before.at("recipe.ini"));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run({"train.steps=7", "train.epochs=4"}), Trainer::Outcome::finished);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("continuing with another setting: train.steps was 6, is 7"));
}

TEST_F(TrainerTest, TheSeriesIsSampledAsTheRecipeSays) {
  run({"metrics.every_steps=3"});
  std::vector<std::string> steps;
  for (const std::string& line : series()) steps.push_back(line.substr(0, line.find(',')));
  EXPECT_THAT(steps, ElementsAre("step", "2 evaluation", "3", "4 evaluation", "6", "6 evaluation"));
}

TEST_F(TrainerTest, ASeriesThatCannotBeWrittenStopsNoRun) {
  fs::create_directories(folder_.path() / "r/series.csv");
  EXPECT_EQ(run(), Trainer::Outcome::finished);
  EXPECT_EQ(told_, whole);
}

TEST_F(TrainerTest, ADivergedRunIsToldOnce) {
  const std::vector<std::string> diverging{"schedule.base_learning_rate=1e30", "schedule.warmup_epochs=0"};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { run(diverging); }), HasSubstr("the loss of step 1 is"));
  EXPECT_EQ(told_, (Told{"compiling", "started after 0", "step 1", "diverged after 1"}));
  EXPECT_THAT(report(), HasSubstr("\"status\": \"diverged\""));
}

/// The reference backend computes in f16.
TEST_F(TrainerTest, StepsWhoseGradientsOverflowAreSkippedAndCounted) {
  const std::vector<std::string> half{"backend.name=reference", "backend.compute=f16"};
  std::vector<float> scales;
  std::vector<bool> skipped;
  class Scales final : public RunObserver {
   public:
    Scales(std::vector<float>& scales, std::vector<bool>& skipped) : scales_(scales), skipped_(skipped) {}
    void step(const RunView&, const StepResult& step) override {
      scales_.push_back(step.loss_scale);
      skipped_.push_back(step.skipped);
    }

   private:
    std::vector<float>& scales_;
    std::vector<bool>& skipped_;
  };
  Trainer trainer(test::micro_recipe(folder_.path(), half));
  trainer.add(std::make_unique<Scales>(scales, skipped));
  EXPECT_EQ(trainer.run(), Trainer::Outcome::finished);
  ASSERT_EQ(scales.size(), 6u);
  EXPECT_EQ(scales[0], 65536);
  for (std::size_t i = 1; i < scales.size(); ++i) EXPECT_EQ(scales[i], skipped[i - 1] ? scales[i - 1] / 2 : scales[i - 1]);
  const auto count = std::ranges::count(skipped, true);
  EXPECT_EQ(trainer.history().skipped_steps, count);
  EXPECT_EQ(report().find("steps changed nothing but the loss scale") != std::string::npos, count > 0);
}

TEST_F(TrainerTest, TheLossScaleIsAPowerOfTwo) {
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { run({"train.loss_scale=1000"}); }),
              AllOf(HasSubstr("train.loss_scale = 1000 is no power of two"), HasSubstr("choose 512 or 1024")));
  EXPECT_EQ(run({"train.loss_scale=1024"}), Trainer::Outcome::finished);
}

TEST_F(TrainerTest, TheCpuDeclinesF16) {
  EXPECT_THAT(test::message_of(Error::Category::device, [&] { run({"backend.compute=f16"}); }),
              AllOf(HasSubstr("f16 is for GPUs"), HasSubstr("backend.compute = bf16")));
}

TEST_F(TrainerTest, AnObserverThatCannotGoOnStopsTheRun) {
  const auto refuse = [] { fail(Error::Category::data, "test", "full"); };
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { run({}, "step 3", refuse); }), HasSubstr("full"));
  EXPECT_EQ(told_.back(), "failed after 3");
  EXPECT_THAT(report(), HasSubstr("\"status\": \"failed\""));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { run({}, "finished after 6", refuse); }), HasSubstr("full"));
  EXPECT_EQ(told_.back(), "finished after 6") << "an end is told once";
  EXPECT_EQ(run(), Trainer::Outcome::already_finished);
}

TEST_F(TrainerTest, ReplicasEndWithEqualVariables) {
  Trainer trainer(test::micro_recipe(folder_.path(), {"communicator.name=threads", "communicator.replicas=2"}));
  ASSERT_EQ(trainer.run(), Trainer::Outcome::finished);
  const Session& session = trainer.session();
  ASSERT_EQ(session.replicas().count(), 2);
  const auto variables = session.training_graph_at(0).variables;
  ASSERT_GT(variables.size(), 10u);
  std::size_t changed = 0;
  for (const Variable& variable : variables) {
    std::vector<std::byte> first(variable.type.bytes()), second = first;
    session.replicas().backend(0).read(variable.name, {variable.type, first});
    session.replicas().backend(1).read(variable.name, {variable.type, second});
    EXPECT_EQ(first, second) << variable.name;
    changed += std::ranges::any_of(first, [](std::byte byte) { return byte != std::byte{0}; });
  }
  EXPECT_GT(changed, variables.size() / 2);
}

}  // namespace
}  // namespace qfw

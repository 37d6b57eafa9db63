#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <csignal>
#include <sstream>

#include "io/checkpoint_folder.h"
#include "io/json.h"
#include "micro.h"
#include "run/evaluate.h"
#include "run/trainer.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace fs = std::filesystem;
namespace json = boost::json;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Asks status.json whatever happens, and acts once, at the first of these.
class Reader final : public RunObserver {
 public:
  Reader(std::vector<std::string>& states, std::string at, std::function<void()> act)
      : states_(states), at_(std::move(at)), act_(std::move(act)) {}

  void starting(const RunView& run) override { note(run, "starting"); }
  void failed_to_start(const RunView& run, const std::string&) override { note(run, "failed to start"); }
  void busy(const RunView& run, const Busy& busy) override {
    note(run, busy.with == Busy::With::evaluating ? "evaluating" : "busy");
  }
  void step(const RunView& run, const StepResult& step) override {
    note(run, fmt::format("step {}", run.completed));
    const json::value status = read_json(run.folder.status());
    if (status.at("step").as_int64() == run.completed) {  // it was due
      EXPECT_FLOAT_EQ(status.at("loss").to_number<float>(), step.loss);
      EXPECT_DOUBLE_EQ(status.at("images_per_second").to_number<double>(), run.speed.recent);
    }
  }
  void evaluated(const RunView& run, const EvaluationResult&) override { note(run, "evaluated"); }
  void ended(const RunView& run, Ending, const std::string&) override { note(run, "ended"); }

 private:
  void note(const RunView& run, const std::string& event) {
    const std::string state(read_json(run.folder.status()).at("state").as_string());
    if (states_.empty() || states_.back() != state) states_.push_back(state);
    if (event != at_) return;
    at_.clear();
    act_();
  }

  std::vector<std::string>& states_;
  std::string at_;
  std::function<void()> act_;
};

class RunFilesTest : public ::testing::Test {
 protected:
  Trainer::Outcome run(const std::vector<std::string>& overrides = {}, const std::string& at = {},
                       const std::function<void()>& act = {}) {
    states_.clear();
    Trainer trainer(test::micro_recipe(folder_.path(), overrides));
    if (!blind_) trainer.add(std::make_unique<Reader>(states_, at, act));
    return trainer.run();
  }
  json::value read(const std::string& name) const { return read_json(folder_.path() / "r" / name); }
  std::string text(const std::string& name) const { return text_of(folder_.path() / "r" / name); }
  std::vector<std::string> layers() const {
    std::istringstream file(text("layers.csv"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  static void interrupt() { std::raise(SIGINT); }

  test::TemporaryFolder folder_;
  std::vector<std::string> states_;
  bool blind_ = false;  ///< nobody reads the status
};

TEST_F(RunFilesTest, SetupSaysWhatIsKnownBeforeTheFirstStep) {
  run();
  const json::value setup = read("setup.json");
  EXPECT_EQ(setup.at("model").as_string(), "resnet");
  EXPECT_EQ(setup.at("quantizer").as_string(), "weights_and_auto_acts");
  EXPECT_THAT(std::string(setup.at("recipe").as_string()), ::testing::EndsWith("micro.ini"));
  EXPECT_THAT(std::string(setup.at("backend").as_string()), StartsWith("cpu, 1 thread"));
  for (const auto& [key, value] : {std::pair{"classes", 4},
                                   {"train_examples", 16},
                                   {"validation_examples", 20},
                                   {"batch_size", 8},
                                   {"steps_per_epoch", 2},
                                   {"total_steps", 6},
                                   {"replicas", 1}}) {
    EXPECT_EQ(setup.at(key).as_int64(), value) << key;
  }
  EXPECT_GT(setup.at("peak").at("f32").to_number<double>(), 1e8);
  const auto& phases = setup.at("phases").as_array();
  ASSERT_GE(phases.size(), 2u) << "collecting bounds, and quantizing";
  EXPECT_EQ(phases[0].at("first_step").as_int64(), 0);
  for (const json::value& phase : phases) EXPECT_GT(phase.at("peak_images_per_second").to_number<double>(), 0);
  std::int64_t multiplications = 0;
  for (const json::value& layer : setup.at("layers").as_array()) {
    multiplications += layer.at("multiplications").as_int64();
    EXPECT_EQ(layer.at("weight_bits").as_int64(), 4);
    EXPECT_EQ(layer.at("reason").as_string(), "arithmetic = fake_quant");
  }
  EXPECT_EQ(setup.at("multiplications").as_int64(), multiplications);
  bool found = false;
  for (const json::value& setting : setup.at("settings").as_array()) {
    if (setting.at("section").as_string() != "train" || setting.at("key").as_string() != "batch_size") continue;
    found = true;
    EXPECT_EQ(setting.at("value").as_string(), "8");
    EXPECT_FALSE(setting.at("default").as_bool());
    EXPECT_THAT(std::string(setting.at("origin").as_string()), HasSubstr("micro.ini:"));
  }
  EXPECT_TRUE(found);
}

TEST_F(RunFilesTest, LayersHaveALineForEachQuantizedOperandOfEachEvaluation) {
  run();
  const std::size_t count = read("setup.json").at("layers").as_array().size();
  const auto lines = layers();
  ASSERT_EQ(lines.size(), 1 + count + 2 * 2 * count) << "the first evaluation has no activations on a grid yet";
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const bool first = i <= count;
    EXPECT_THAT(lines[i], StartsWith(first ? "2," : i <= 3 * count ? "4," : "6,"));
    if (first) {
      EXPECT_THAT(lines[i], HasSubstr(",weights,"));
    }
    EXPECT_THAT(lines[i], ::testing::Not(HasSubstr(",,"))) << "every bound and every share is known";
    if (lines[i].find(",weights,") != std::string::npos) {
      EXPECT_THAT(lines[i], ::testing::EndsWith(",0")) << "their bound is the largest of them";
    }
  }
}

TEST_F(RunFilesTest, TheEvaluationAddsUp) {
  run();
  const json::value evaluation = read("evaluation.json");
  EXPECT_EQ(evaluation.at("step").as_int64(), 6);
  EXPECT_EQ(evaluation.at("examples").as_int64(), 20);
  std::int64_t all = 0, right = 0, wrong = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      const std::int64_t count = evaluation.at("confusion").as_array()[i].as_array()[j].as_int64();
      all += count;
      (i == j ? right : wrong) += count;
    }
  }
  EXPECT_EQ(all, 20);
  EXPECT_EQ(static_cast<double>(right) / 20, evaluation.at("top1").to_number<double>());
  EXPECT_EQ(evaluation.at("top1"), read("report.json").at("eval_accuracy"));
  for (const json::value& confusion : evaluation.at("confusions").as_array()) wrong -= confusion.at("count").as_int64();
  EXPECT_EQ(wrong, 0);
  const auto& worst = evaluation.at("worst").as_array();
  EXPECT_EQ(static_cast<std::int64_t>(worst.size()), 20 - right);
  for (const json::value& example : worst) {
    EXPECT_NE(example.at("label"), example.at("predicted"));
    EXPECT_GE(example.at("probability").to_number<double>(), example.at("label_probability").to_number<double>());
    EXPECT_EQ(example.at("width").as_int64(), 16);
    EXPECT_THAT(std::string(example.at("image").as_string()), StartsWith("data:image/png;base64,iVBOR"));
    EXPECT_FALSE(example.at("where").as_string().empty());
  }
}

TEST_F(RunFilesTest, AnInterruptedRunEndsWithTheFilesOfAWholeOne) {
  run();
  const std::string wanted_layers = text("layers.csv"), wanted_evaluation = text("evaluation.json");
  for (const std::string at : {"step 1", "step 2", "evaluating", "evaluated", "step 3", "step 5"}) {
    fs::remove_all(folder_.path() / "r");
    EXPECT_EQ(run({}, at, interrupt), Trainer::Outcome::interrupted) << at;
    EXPECT_EQ(states_.back(), "interrupted") << at;
    EXPECT_EQ(run(), Trainer::Outcome::finished) << at;
    EXPECT_EQ(text("layers.csv"), wanted_layers) << at;
    EXPECT_EQ(text("evaluation.json"), wanted_evaluation) << at;
  }
}

TEST_F(RunFilesTest, FromAnOlderCheckpointTheLayersHaveEachLineOnce) {
  const std::vector<std::string> each_step{"checkpoint.every_steps=1"};
  run(each_step);
  const std::string wanted = text("layers.csv");
  for (int left = 5; left >= 1; --left) {
    for (int step = left + 1; step <= 6; ++step) fs::remove(checkpoint_path(folder_.path() / "r/checkpoints", step));
    EXPECT_EQ(run(each_step), Trainer::Outcome::finished);
    EXPECT_EQ(text("layers.csv"), wanted) << left;
  }
}

TEST_F(RunFilesTest, TheStatusFollowsTheRun) {
  run();
  ASSERT_GE(states_.size(), 6u);
  EXPECT_EQ(states_[0], "starting");
  EXPECT_EQ(states_.back(), "finished");
  for (const char* state : {"compiling", "training", "evaluating", "saving"}) {
    EXPECT_NE(std::ranges::find(states_, state), states_.end()) << state;
  }
  const json::value status = read("status.json");
  EXPECT_EQ(status.at("pid").as_int64(), getpid());
  EXPECT_EQ(status.at("step").as_int64(), 6);
  EXPECT_EQ(status.at("total_steps").as_int64(), 6);
  EXPECT_EQ(status.at("epoch").to_number<double>(), 3);
  EXPECT_EQ(status.at("epochs").as_int64(), 3);
  EXPECT_EQ(status.at("last_checkpoint_step").as_int64(), 6);
  EXPECT_EQ(status.at("eval_accuracy"), read("report.json").at("eval_accuracy"));
  EXPECT_EQ(status.at("best_step"), read("report.json").at("best_eval_step"));
  EXPECT_GT(status.at("peak_share").to_number<double>(), 0);
  EXPECT_LT(status.at("peak_share").to_number<double>(), 1);
  EXPECT_LE(status.at("started").to_number<double>(), status.at("written").to_number<double>());
  EXPECT_TRUE(status.at("error").is_null());
  EXPECT_TRUE(status.at("evaluated").is_null());
  EXPECT_TRUE(status.at("seconds_left").is_null());
  EXPECT_TRUE(status.at("next_phase_step").is_null());
  EXPECT_THAT(std::string(status.at("phase").as_string()), HasSubstr("activations"));
}

TEST_F(RunFilesTest, TheStatusSaysWhyARunEnded) {
  const std::vector<std::string> diverging{"schedule.base_learning_rate=1e30", "schedule.warmup_epochs=0"};
  EXPECT_THROW(run(diverging), Error);
  EXPECT_EQ(states_.back(), "diverged");
  EXPECT_THAT(std::string(read("status.json").at("error").as_string()), HasSubstr("the loss of step 1 is"));
  const auto refuse = [] { fail(Error::Category::data, "test", "full"); };
  fs::remove_all(folder_.path() / "r");
  EXPECT_THROW(run({}, "starting", refuse), Error);
  EXPECT_THAT(states_, ElementsAre("starting", "failed"));
  EXPECT_THAT(std::string(read("status.json").at("error").as_string()), HasSubstr("full"));
}

/// A recipe that the folder's run was not begun with: what is there is said of another run.
TEST_F(RunFilesTest, ARefusedStartLeavesTheStatusAlone) {
  run();
  const std::string before = text("status.json");
  EXPECT_THROW(run({"quantizer.weight_prec=2"}), Error);
  EXPECT_THAT(states_, IsEmpty());
  EXPECT_EQ(text("status.json"), before);
}

TEST_F(RunFilesTest, WhatCannotBeWrittenStopsNoRun) {
  blind_ = true;
  for (const std::string name : {"status.json", "setup.json", "evaluation.json", "layers.csv"}) {
    fs::create_directories(folder_.path() / "r" / name);
  }
  EXPECT_EQ(run(), Trainer::Outcome::finished);
  EXPECT_EQ(read("report.json").at("status").as_string(), "finished");
}

TEST_F(RunFilesTest, ThePeakOfSomeBackendsIsNotKnown) {
  run({"backend.name=reference", "train.steps=1"});
  EXPECT_TRUE(read("report.json").at("peak_share").is_null());
  EXPECT_TRUE(read("setup.json").at("peak").is_null());
  EXPECT_TRUE(read("status.json").at("peak_share").is_null());
}

/// As the run's last checkpoint left it, on so many replicas.
class Continued {
 public:
  Continued(const fs::path& folder, int replicas)
      : session_(test::micro_recipe(folder, replicas == 1
                                                ? std::vector<std::string>()
                                                : std::vector<std::string>{"communicator.name=threads",
                                                                           fmt::format("communicator.replicas={}", replicas)}),
                 Session::Data::required) {
    const Checkpoint checkpoint(checkpoint_path(folder / "r/checkpoints", 6));
    session_.restore(checkpoint, session_.variables());
    session_.continue_from(checkpoint.info());
  }
  EvaluationDetails details() {
    EvaluationDetails details;
    evaluate(session_, 6, nullptr, &details);
    return details;
  }
  double loss() { return evaluate(session_, 6).loss(); }
  std::vector<std::vector<std::byte>> variables() {
    std::vector<std::vector<std::byte>> all;
    for (const Variable& variable : session_.variables()) {
      session_.read(variable.name, {variable.type, all.emplace_back(variable.type.bytes())});
    }
    return all;
  }

 private:
  Session session_;
};

TEST_F(RunFilesTest, LookingAtLayersChangesNothing) {
  run();
  Continued run(folder_.path(), 1);
  const auto before = run.variables();
  const double loss = run.loss();
  EXPECT_FALSE(run.details().layers.empty());
  EXPECT_EQ(run.loss(), loss);
  EXPECT_EQ(run.variables(), before);
}

TEST_F(RunFilesTest, ExamplesAndLayersAreThoseOfOneReplicaOnAnyNumber) {
  run();
  const EvaluationDetails one = Continued(folder_.path(), 1).details();
  ASSERT_EQ(one.examples.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(one.examples[i].index, static_cast<std::int64_t>(i));
  ASSERT_FALSE(one.layers.empty());
  for (const int replicas : {2, 4}) {
    const EvaluationDetails several = Continued(folder_.path(), replicas).details();
    ASSERT_EQ(several.examples.size(), 20u);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_EQ(several.examples[i].index, one.examples[i].index);
      EXPECT_EQ(several.examples[i].label, one.examples[i].label);
      EXPECT_EQ(several.examples[i].predicted, one.examples[i].predicted);
      EXPECT_EQ(several.examples[i].probability, one.examples[i].probability);
      EXPECT_EQ(several.examples[i].loss, one.examples[i].loss);
    }
    ASSERT_EQ(several.layers.size(), one.layers.size());
    for (std::size_t i = 0; i < one.layers.size(); ++i) {
      EXPECT_EQ(several.layers[i].layer, one.layers[i].layer);
      EXPECT_EQ(several.layers[i].bound, one.layers[i].bound);
      // The same images; only their sums over space may be added up in another order.
      EXPECT_NEAR(several.layers[i].clipped.value(), one.layers[i].clipped.value(), 1e-2) << one.layers[i].layer;
    }
  }
}

}  // namespace
}  // namespace qfw

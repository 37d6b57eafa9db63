#include "viewer/run_document.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/json.h"
#include "io/run_folder.h"
#include "support.h"
#include "viewer/run_list.h"
#include "viewer/run_summary.h"

namespace qfw::viewer {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view files[] = {"setup.json",       "status.json", "report.json", "evaluation.json",
                                      "environment.json", "recipe.ini",  "series.csv",  "layers.csv"};

class RunDocumentTest : public testing::Test {
 protected:
  void SetUp() override { test::write_sample_run({}, run_); }

  json::object document() const {
    RunReader reader(run_);
    reader.refresh();
    return reader.document();
  }
  static std::string problem_of(const json::object& document, std::string_view name) {
    for (const json::value& file : document.at("files").as_array()) {
      if (file.at("name") == json::string_view(name))
        return file.at("problem").is_null() ? "" : std::string(file.at("problem").as_string());
    }
    return "no such file is listed";
  }

  test::TemporaryFolder temporary_;
  fs::path run_ = temporary_.path() / "run";
};

TEST_F(RunDocumentTest, TellsAWholeRun) {
  const auto all = document();
  EXPECT_EQ(all.at("name"), "run");
  EXPECT_EQ(all.at("state").at("name"), "finished");
  EXPECT_EQ(all.at("setup").at("layers").as_array().size(), 18u);
  EXPECT_EQ(all.at("setup").at("layers").at(0).at("weight_bits").to_number<int>(), 8);
  EXPECT_EQ(all.at("evaluation").at("confusion").as_array().size(), 10u);
  EXPECT_EQ(all.at("evaluation").at("worst").as_array().size(), 24u);
  EXPECT_THAT(std::string(all.at("evaluation").at("worst").at(0).at("image").as_string()),
              testing::StartsWith("data:image/png;base64,"));
  EXPECT_EQ(all.at("training").at("step").as_array().size(), 2808u);
  EXPECT_EQ(all.at("evaluations").at("step").as_array().size(), 6u);
  EXPECT_EQ(all.at("layers").at("operands").as_array().size(), 36u);
  EXPECT_THAT(std::string(all.at("recipe").as_string()), HasSubstr("weight_prec = 4"));
  for (const std::string_view name : files) EXPECT_EQ(problem_of(all, name), "") << name;
}

TEST_F(RunDocumentTest, LivesWithoutAnyOfItsFiles) {
  for (const std::string_view name : files) {
    fs::rename(run_ / name, run_ / "aside");
    const auto without = document();
    EXPECT_EQ(problem_of(without, name), "") << name;
    EXPECT_TRUE(without.contains("training"));
    fs::rename(run_ / "aside", run_ / name);
  }
  for (const std::string_view name : files) fs::remove(run_ / name);
  EXPECT_EQ(document().at("state").at("name"), "unknown");
  fs::remove_all(run_);
  EXPECT_TRUE(document().at("setup").is_null());
}

/// Cut anywhere, overwritten with rubbish, of another kind, a link, a pipe, a folder: named, and all else is shown.
TEST_F(RunDocumentTest, NamesWhatIsDamaged) {
  for (const std::string_view name : files) {
    const fs::path file = run_ / name;
    const std::string whole = test::read_file(file);
    for (const std::string& text : {whole.substr(0, whole.size() / 2), std::string("\x00\xff\xfe{]", 5),
                                    std::string("[[[[1]]]]"), std::string(100'000, '['), std::string()}) {
      test::write_file(file, text);
      const auto damaged = document();
      EXPECT_NE(problem_of(damaged, name), "") << name << ": " << text.substr(0, 20);
      RunReader reader(run_);
      reader.refresh();
      EXPECT_THAT(reader.problems(), ElementsAre(testing::StartsWith(std::string(name) + ": ")));
      const bool listed = name != "evaluation.json" && name != "environment.json";
      EXPECT_EQ(!summary_of(run_).problems.empty(), listed) << name << ": " << text.substr(0, 20);
    }
    fs::remove(file);
    fs::create_symlink("/etc/passwd", file);
    EXPECT_THAT(problem_of(document(), name), HasSubstr("link")) << name;
    fs::remove(file);
    ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
    EXPECT_THAT(problem_of(document(), name), HasSubstr("a pipe")) << name;
    fs::remove(file);
    fs::create_directory(file);
    EXPECT_THAT(problem_of(document(), name), HasSubstr("a folder")) << name;
    fs::remove(file);
    test::write_file(file, whole);
  }
}

/// Nobody reads these here, or only when they are used: a run that lacks them is not whole all the same.
TEST_F(RunDocumentTest, NamesWhatIsNoFile) {
  const fs::path checkpoints = run_ / "checkpoints";
  const std::string newest = "checkpoints/step_" + std::string(9, '9') + ".h5";
  fs::create_directories(checkpoints);
  for (const std::string& name :
       {newest, std::string("best.h5"), std::string("events.out.tfevents.1.host"), std::string(".lock"), std::string("log.txt"),
        std::string("hparams.json"), std::string("report.html")}) {
    const bool is_result = name == newest || name == "best.h5";
    const fs::path file = run_ / name;
    fs::remove(file);
    const auto check = [&](const char* what) {
      EXPECT_THAT(problem_of(document(), name), HasSubstr(what)) << name;
      const RunSummary run = summary_of(run_);
      EXPECT_THAT(run.problems, Contains(AllOf(testing::StartsWith(name + ": "), HasSubstr(what)))) << name;
      EXPECT_THAT(run.damaged, is_result ? testing::Matcher<std::vector<std::string>>(ElementsAre(name)) : IsEmpty());
      EXPECT_EQ(run.state(), is_result ? "damaged" : "finished") << name;
    };
    fs::create_directory(file);
    check("it is a folder, not a file");
    fs::remove(file);
    ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
    check("it is a pipe, not a file");
    fs::remove(file);
    fs::create_symlink("nowhere", file);
    check("it is a link");
    fs::remove(file);
  }
  EXPECT_EQ(summary_of(run_).state(), "finished");
  fs::remove_all(checkpoints);
  test::write_file(checkpoints, "");
  EXPECT_THAT(summary_of(run_).damaged, ElementsAre("checkpoints"));
  EXPECT_THAT(problem_of(document(), "checkpoints"), HasSubstr("it is a file, not a folder"));
}

TEST_F(RunDocumentTest, RefusesFilesBeyondAnySense) {
  for (const std::string_view name : files) {
    const std::string whole = test::read_file(run_ / name);
    fs::resize_file(run_ / name, std::uintmax_t{1} << 33);  // takes no room on the disk
    EXPECT_THAT(problem_of(document(), name), HasSubstr("at most")) << name;
    test::write_file(run_ / name, whole);
  }
}

TEST_F(RunDocumentTest, KeepsOnlyWhatHasTheRightType) {
  test::write_file(run_ / "evaluation.json",
                   R"({"step": "7", "top1": true, "class_names": ["a", 5], "confusion": [[1, 2], [3]], "recall": [0.5, null, 1],
                       "unheard_of": {"deep": []},
                       "worst": [{"label": 1, "image": "data:image/svg+xml;base64,PHN2Zz4="},
                                 {"image": "http://elsewhere/a.png"},
                                 {"image": "data:image/png;base64,AAAA\" onerror=\"x"}]})");
  const auto all = document();
  const auto& evaluation = all.at("evaluation").as_object();
  for (const char* key : {"step", "top1", "class_names", "confusion", "top5", "confusions"})
    EXPECT_TRUE(evaluation.at(key).is_null()) << key;
  EXPECT_EQ(evaluation.at("recall").as_array().size(), 3u);
  for (const json::value& each : evaluation.at("worst").as_array()) EXPECT_TRUE(each.at("image").is_null());
  EXPECT_FALSE(evaluation.contains("unheard_of"));
  EXPECT_THAT(problem_of(all, "evaluation.json"), HasSubstr("top1 is not a finite number"));
  EXPECT_THAT(problem_of(all, "evaluation.json"), HasSubstr("worst[0].image is not a PNG"));
}

/// An empty record becomes as many nulls as it has keys.
TEST_F(RunDocumentTest, ReadsNoMoreRecordsThanItSays) {
  std::string many = R"({"worst": [{})";
  for (int i = 0; i < 9999; ++i) many += ",{}";
  test::write_file(run_ / "evaluation.json", many + "]}");
  const auto all = document();
  EXPECT_THAT(problem_of(all, "evaluation.json"), HasSubstr("worst has 10000 records; the first 4096 are read"));
  EXPECT_EQ(all.at("evaluation").at("worst").as_array().size(), 4096u);
}

TEST_F(RunDocumentTest, SendsOnlyWhatIsNew) {
  RunReader reader(run_);
  reader.refresh();
  const auto cursor = [](const json::object& news) { return *Cursor::parse(std::string(news.at("cursor").as_string())); };
  auto known = cursor(reader.document());
  reader.refresh();
  auto news = reader.changes_since(known);
  for (const char* part : {"setup", "status", "report", "evaluation", "environment", "recipe", "layers"})
    EXPECT_FALSE(news.contains(part));
  EXPECT_TRUE(news.at("training").at("step").as_array().empty());
  EXPECT_LT(json::serialize(news).size(), 3000u);

  test::append_file(run_ / "series.csv", "2809,92,3800,0.1,0.9,0.01,,,\n");
  test::write_file(run_ / "status.json", R"({"state": "training", "step": 2809})");
  reader.refresh();
  news = reader.changes_since(known);
  EXPECT_THAT(test::numbers(news.at("training").at("step")), ElementsAre(2809));
  EXPECT_EQ(news.at("training").at("from").to_number<int>(), 2808);
  EXPECT_EQ(news.at("status").at("step").to_number<int>(), 2809);
  EXPECT_FALSE(news.contains("setup"));

  // A reader that is another one, as after a new start of the watcher, sends all to whoever comes with an old cursor.
  RunReader other(run_);
  other.refresh();
  EXPECT_EQ(other.changes_since(known).at("training").at("step").as_array().size(), 2809u);
  EXPECT_TRUE(other.changes_since(known).contains("setup"));
}

TEST_F(RunDocumentTest, TakesNoCursorButItsOwn) {
  RunReader reader(run_);
  reader.refresh();
  const std::string text(reader.document().at("cursor").as_string());
  EXPECT_EQ(Cursor::parse(text)->text(), text);
  for (const std::string& bad : {std::string(), std::string("1"), text + ".1", text + ".", "." + text, "-" + text, text + " ",
                                 std::string(1000, '1'), std::string("a.b.c")}) {
    EXPECT_FALSE(Cursor::parse(bad)) << bad;
  }
  auto impossible = *Cursor::parse(text);
  impossible.training = impossible.layers = impossible.evaluations = ~std::uint64_t{0};
  impossible.layer_rows = 0;
  EXPECT_TRUE(reader.changes_since(impossible).at("training").at("step").as_array().empty());
}

TEST_F(RunDocumentTest, IsARunOrNot) {
  EXPECT_TRUE(RunReader::is_run(run_));
  EXPECT_FALSE(RunReader::is_run(temporary_.path()));
  EXPECT_FALSE(RunReader::is_run(temporary_.path() / "nowhere"));
  fs::create_directory(temporary_.path() / "linked");
  fs::create_symlink(run_ / "report.json", temporary_.path() / "linked" / "report.json");
  EXPECT_FALSE(RunReader::is_run(temporary_.path() / "linked"));
}

class LifeTest : public RunDocumentTest {
 protected:
  std::string state() const { return std::string(document().at("state").at("name").as_string()); }
  void write_status(std::string_view state, double age, std::string_view host = "") {
    const double written = static_cast<double>(std::time(nullptr)) - age;
    write_json(run_ / "status.json", json::object{{"state", state}, {"written", written}, {"host", host}, {"step", 3000}});
  }
  void write_lock(std::int64_t pid) { test::write_file(run_ / ".lock", fmt::format("{}\n", pid)); }
  void age_lock(int seconds) {
    fs::last_write_time(run_ / ".lock", fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }
  /// The number of a process that is gone.
  static std::int64_t dead_process() {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
    return child;
  }
};

TEST_F(LifeTest, KnowsWhatGoesOnAndWhatWasKilled) {
  write_status("training", 0);
  EXPECT_EQ(state(), "killed");  // however new: no process has the lock
  {
    const RunFolder held(run_, RunFolder::Access::write);
    write_status("training", 0);
    EXPECT_EQ(state(), "training");
    EXPECT_EQ(document().at("state").at("alive"), true);
    age_lock(7200);
    write_status("evaluating", 3600);  // a long evaluation
    EXPECT_EQ(state(), "evaluating");
    age_lock(0);
    EXPECT_EQ(state(), "starting");  // that was the process before
    write_status("failed", 3600);
    EXPECT_EQ(state(), "starting");
    write_status("failed", 0);  // it still has the lock when it says so
    EXPECT_EQ(state(), "failed");
    write_status("training", 3600, "elsewhere");
    EXPECT_EQ(document().at("state").at("alive"), true);  // where the lock is seen, it can be told
  }
  // The process that had it lives, another than that which holds no lock: this one.
  write_status("training", 3600);
  EXPECT_EQ(state(), "killed");
  write_lock(dead_process());
  EXPECT_EQ(state(), "killed");
  write_status("training", 3600, "elsewhere");
  EXPECT_EQ(state(), "training");
  EXPECT_TRUE(document().at("state").at("alive").is_null());
  write_status("failed", 3600);
  EXPECT_EQ(state(), "failed");
}

TEST_F(LifeTest, ACheckpointBeyondTheEndIsALaterStarts) {
  write_status("finished", 3600);
  fs::create_directories(run_ / "checkpoints");
  EXPECT_EQ(state(), "finished");
  test::write_file(run_ / "checkpoints" / "step_000009999.h5", "");
  EXPECT_EQ(state(), "killed");
  EXPECT_EQ(document().at("state").at("step").to_number<int>(), 9999);
  fs::rename(run_ / "checkpoints", temporary_.path() / "aside");
  fs::create_directory_symlink(temporary_.path() / "aside", run_ / "checkpoints");
  EXPECT_EQ(state(), "finished");
  EXPECT_THAT(summary_of(run_).problems, Each(HasSubstr("checkpoints: it is a link")));
}

TEST_F(LifeTest, DoesNotGuessWhereTheLockCannotBeRead) {
  write_status("training", 3600);
  fs::create_symlink("/etc/passwd", run_ / ".lock");
  EXPECT_EQ(state(), "training");
  EXPECT_TRUE(document().at("state").at("alive").is_null());
}

TEST_F(LifeTest, JudgesRunsOfOlderVersionsByTheirReport) {
  fs::remove(run_ / "status.json");
  EXPECT_EQ(state(), "finished");
  {
    const RunFolder held(run_, RunFolder::Access::write);
    EXPECT_EQ(state(), "running");
    // The page at the end of a run is made while its process has the lock.
    test::write_file(run_ / "report.json", R"({"status": "interrupted", "steps": 3})");
    EXPECT_EQ(state(), "interrupted");
  }
  EXPECT_EQ(state(), "interrupted");
  // It went on after that report, and ended without another.
  fs::last_write_time(run_ / "report.json", fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(state(), "unfinished");
  fs::remove(run_ / "report.json");
  EXPECT_EQ(state(), "unfinished");
}

/// The list, `qfw runs` and the page tell the same of a folder.
TEST_F(LifeTest, ListAndPageAgree) {
  for (const char* each : {"starting", "training", "saving", "finished", "interrupted", "diverged", "failed"}) {
    for (const char* host : {"", "elsewhere"}) {
      write_status(each, 3600, host);
      const RunSummary row = summary_of(run_);
      EXPECT_EQ(row.life.state, state());
      EXPECT_EQ(to_json(row).at("alive"), document().at("state").at("alive"));
      EXPECT_EQ(to_json(row).at("step"), document().at("state").at("step"));
    }
  }
}

TEST_F(LifeTest, ARowTellsWhatIsDamagedAndKeepsTheRest) {
  EXPECT_TRUE(summary_of(run_).problems.empty());
  EXPECT_EQ(summary_of(run_).step, 2808);
  test::write_file(run_ / "status.json", R"({"state": "failed", "written": 9e10, "step": "many", "total_steps": 7})");
  test::write_file(run_ / "setup.json", "{");
  fs::remove(run_ / "recipe.ini");
  ASSERT_EQ(mkfifo((run_ / "recipe.ini").c_str(), 0600), 0);
  const RunSummary row = summary_of(run_);
  EXPECT_THAT(row.problems, ElementsAre(HasSubstr("status.json: step is not a finite number"),
                                        HasSubstr("setup.json: it is no valid JSON"), HasSubstr("recipe.ini: it is a pipe")));
  EXPECT_EQ(row.total_steps, 7);
  EXPECT_THAT(row.damaged, ElementsAre("status.json", "setup.json", "recipe.ini"));
  EXPECT_EQ(row.state(), "damaged");
  EXPECT_EQ(row.state_text(), "damaged: 3 files");
}

TEST_F(LifeTest, ADamagedRunIsOneByItsState) {
  EXPECT_EQ(summary_of(run_).state_text(), "finished");
  for (const char* name : {"status.json", "report.json", "setup.json", "recipe.ini"}) {
    const std::string whole = test::read_file(run_ / name), status = test::read_file(run_ / "status.json");
    test::write_file(run_ / name, "");
    EXPECT_EQ(summary_of(run_).state_text(), fmt::format("damaged: {}", name));
    EXPECT_EQ(to_json(summary_of(run_)).at("state"), "damaged");
    const RunFolder held(run_, RunFolder::Access::write);
    if (name != std::string_view("status.json")) write_status("training", 0);
    EXPECT_NE(summary_of(run_).state(), "damaged") << "whoever is at work writes it again";
    test::write_file(run_ / "status.json", status);
    test::write_file(run_ / name, whole);
  }
  test::write_file(run_ / "series.csv", "");
  EXPECT_EQ(summary_of(run_).state_text(), "finished");
  EXPECT_THAT(summary_of(run_).problems, ElementsAre("series.csv: it is empty"));
}

TEST_F(LifeTest, ACheckpointThatWasCutIsDamage) {
  fs::create_directories(run_ / "checkpoints");
  const fs::path file = run_ / "checkpoints" / "step_000002808.h5";
  const CheckpointInfo info{.step = 2808, .recipe = "", .data = {}, .seed = {}, .metrics = {}};
  save_checkpoint(file, info, {}, [](std::string_view, HostTensor) {});
  EXPECT_THAT(summary_of(run_).problems, ElementsAre());
  for (const std::uintmax_t bytes : {fs::file_size(file) - 1, std::uintmax_t{512}, std::uintmax_t{100}, std::uintmax_t{0}}) {
    fs::resize_file(file, bytes);
    EXPECT_EQ(summary_of(run_).state_text(), "damaged: checkpoints/step_000002808.h5") << bytes;
  }
}

TEST_F(LifeTest, TheEpochIsTheSameWithAndWithoutAStatus) {
  const RunSummary with = summary_of(run_);
  fs::remove(run_ / "status.json");
  const RunSummary without = summary_of(run_);
  EXPECT_EQ(with.epoch, without.epoch);
  EXPECT_EQ(with.epochs, without.epochs);
  EXPECT_EQ(with.total_steps, without.total_steps);
  fs::remove(run_ / "report.json");
  EXPECT_EQ(summary_of(run_).total_steps, with.total_steps) << "from setup.json";
}

TEST_F(RunDocumentTest, RunsAreFoundBelowAFolderAndNoLinkIsFollowed) {
  test::write_sample_run({}, temporary_.path() / "deep" / "er" / "second");
  test::write_sample_run({}, run_ / "checkpoints" / "none");
  test::write_sample_run({}, run_ / "within");
  test::TemporaryFolder outside;
  test::write_sample_run({}, outside.path() / "run");
  fs::create_directory_symlink(outside.path(), temporary_.path() / "link");
  fs::create_directory_symlink(temporary_.path(), run_ / "circle");
  const fs::path& top = temporary_.path();
  EXPECT_THAT(find_runs(top).runs, ElementsAre(top / "deep" / "er" / "second", run_, run_ / "within"));
  EXPECT_THAT(find_runs(top, 1).runs, ElementsAre(run_));
  EXPECT_THAT(find_runs(top / "link").runs, ElementsAre(top / "link" / "run"));
  EXPECT_TRUE(find_runs(top / "nowhere").runs.empty());
}

}  // namespace
}  // namespace qfw::viewer

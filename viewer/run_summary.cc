#include "viewer/run_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <span>

#include "io/json.h"
#include "recipe/gather.h"
#include "recipe/recorded.h"
#include "viewer/folder_faults.h"
#include "viewer/layer_course.h"
#include "viewer/schemas.h"
#include "viewer/series_course.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::string_view further_files[] = {"environment.json", "evaluation.json"};  // which a row tells nothing of

/// One of a run's JSON files; all null where it is missing or damaged.
class Record {
 public:
  Record(const Folder& folder, const RecordFile& file, RunSummary& run) {
    std::vector<std::string> faults;
    json::value value = json::object();
    try {
      if (const auto open = folder.open(file.name)) {
        modified = open->mark().modified_seconds();
        value = parse_json(open->read_whole(file.most_bytes));
      }
    } catch (const FileProblem& problem) {
      faults.emplace_back(problem.what());
    }
    content = conform(value, file.fields, faults);
    for (const std::string& fault : faults) run.problems.push_back(fmt::format("{}: {}", file.name, fault));
    if (!faults.empty()) run.damaged.emplace_back(file.name);
  }

  json::object content;
  double modified = 0;

  std::optional<double> number(std::string_view key) const {
    const json::value& value = content.at(key);
    return value.is_number() ? std::optional(value.to_number<double>()) : std::nullopt;
  }
  std::optional<std::int64_t> whole(std::string_view key) const {
    const auto found = number(key);
    if (!found || std::abs(*found) > 9e15) return std::nullopt;
    return static_cast<std::int64_t>(*found);
  }
  std::string text(std::string_view key) const {
    const json::value& value = content.at(key);
    return value.is_string() ? std::string(value.get_string()) : "";
  }
};

template <class T>
void prefer(std::optional<T>& value, const std::optional<T>& other) {
  if (other) value = other;
}

void take_report(RunSummary& run, const Record& report) {
  prefer(run.total_steps, report.whole("total_steps"));
  prefer(run.accuracy, report.number("eval_accuracy"));
  prefer(run.best_accuracy, report.number("best_eval_accuracy"));
  prefer(run.best_step, report.whole("best_eval_step"));
  prefer(run.images_per_second, report.number("images_per_second"));
}

void take_status(RunSummary& run, const Record& status) {
  prefer(run.total_steps, status.whole("total_steps"));
  prefer(run.epoch, status.number("epoch"));
  prefer(run.epochs, status.number("epochs"));
  prefer(run.accuracy, status.number("eval_accuracy"));
  prefer(run.best_accuracy, status.number("best_accuracy"));
  prefer(run.best_step, status.whole("best_step"));
  prefer(run.images_per_second, status.number("images_per_second"));
}

/// The epoch is that of the step, as status.json would say it: with or without that file it is the same.
void take_setup(RunSummary& run, const Record& setup) {
  if (!run.total_steps) run.total_steps = setup.whole("total_steps");
  const auto per_epoch = setup.number("steps_per_epoch");
  if (!per_epoch || *per_epoch < 1) return;
  if (run.step) run.epoch = static_cast<double>(*run.step) / *per_epoch;
  if (run.total_steps) run.epochs = std::ceil(static_cast<double>(*run.total_steps) / *per_epoch);
}

void take_damage(RunSummary& run, const std::string& name, const std::string& fault) {
  if (fault.empty()) return;
  run.problems.push_back(fmt::format("{}: {}", name, fault));
  run.damaged.push_back(name);
}

void take_recipe(RunSummary& run, const Folder& folder) try {
  const auto open = folder.open("recipe.ini");
  if (!open) {
    run.problems.emplace_back("there is no recipe.ini");
    return;
  }
  const recipe::Recorded recorded = recipe::recorded_recipe(open->read_whole(recipe::most_recipe_bytes));
  if (!recorded.description.empty()) run.description = recorded.description;
  take_damage(run, "recipe.ini", recorded.fault);
} catch (const FileProblem& problem) {
  take_damage(run, "recipe.ini", problem.what());
}

/// Curves are no result: what is wrong with them is said, and makes no damaged run. Of one at work they are in motion.
void take_table(RunSummary& run, const Folder& folder, std::string_view name, std::span<const std::string_view> columns) {
  if (run.life.alive.value_or(false)) return;
  std::string fault;
  try {
    if (const auto open = folder.open(name)) fault = fault_of_table(*open, columns);
  } catch (const FileProblem& problem) {
    fault = problem.what();
  }
  if (!fault.empty()) run.problems.push_back(fmt::format("{}: {}", name, fault));
}

double modified(const Folder& folder, std::string_view name) try {
  const auto file = folder.open(name);
  return file ? file->mark().modified_seconds() : 0;
} catch (const FileProblem&) {
  return 0;
}

}  // namespace

RunSummary summary_of(const fs::path& path) {
  RunSummary run{.folder = path};
  const Folder folder(path);
  const Record status(folder, status_file(), run), report(folder, report_file(), run), setup(folder, setup_file(), run);
  const double series = modified(folder, "series.csv");
  run.life = life_of(
      folder,
      {.status = &status.content, .report = &report.content, .report_modified = report.modified, .series_modified = series});
  for (const std::string& problem : run.life.problems) run.problems.push_back("checkpoints: " + problem);
  run.step = run.life.step;
  if (run.life.by_report) take_status(run, status);
  take_report(run, report);
  if (!run.life.by_report) take_status(run, status);
  take_setup(run, setup);
  for (const Record* record : {&report, &setup}) {
    if (run.description.empty()) run.description = record->text("description");
  }
  take_recipe(run, folder);
  for (const NamedFault& each : faults_of_checkpoints(folder, run.life.checkpoint)) take_damage(run, each.name, each.fault);
  for (const NamedFault& each : faults_of_kind(folder, further_files)) {
    run.problems.push_back(fmt::format("{}: {}", each.name, each.fault));
  }
  take_table(run, folder, "series.csv", SeriesCourse::needed_columns);
  take_table(run, folder, "layers.csv", LayerCourse::needed_columns);
  const double written = std::max(
      {status.modified, report.modified, series, modified(folder, "log.txt"), modified(folder, "recipe.ini"), run.life.saved});
  run.written = static_cast<std::int64_t>(written);
  return run;
}

std::string RunSummary::state() const { return damaged.empty() || life.alive.value_or(false) ? life.state : "damaged"; }

std::string RunSummary::state_text() const {
  const std::string state = this->state();
  if (state == life.state) return state;
  return damaged.size() == 1 ? fmt::format("{}: {}", state, damaged.front())
                             : fmt::format("{}: {} files", state, damaged.size());
}

json::object to_json(const RunSummary& run) {
  const bool shown = run.state() == run.life.state;
  return {{"state", run.state()},
          {"damaged", json::array(run.damaged.begin(), run.damaged.end())},
          {"alive", or_null(run.life.alive)},
          {"why", shown ? run.life.why : fmt::format("it would be {}: {}", run.life.state, run.life.why)},
          {"process", or_null(run.life.process)},
          {"step", or_null(run.step)},
          {"total_steps", or_null(run.total_steps)},
          {"epoch", or_null(run.epoch)},
          {"epochs", or_null(run.epochs)},
          {"eval_accuracy", or_null(run.accuracy)},
          {"best_accuracy", or_null(run.best_accuracy)},
          {"best_step", or_null(run.best_step)},
          {"images_per_second", or_null(run.images_per_second)},
          {"written", run.written},
          {"description", run.description},
          {"problems", json::array(run.problems.begin(), run.problems.end())}};
}

}  // namespace qfw::viewer

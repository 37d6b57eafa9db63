#include "viewer/run_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "io/json.h"
#include "qfw/error.h"
#include "recipe/gather.h"
#include "recipe/source.h"
#include "util/text.h"
#include "viewer/schemas.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

/// One of a run's JSON files; all null where it is missing or damaged.
class Record {
 public:
  Record(const Folder& folder, const RecordFile& file, std::vector<std::string>& problems) {
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
    for (const std::string& fault : faults) problems.push_back(fmt::format("{}: {}", file.name, fault));
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

/// The epoch of a run of an earlier version, which does not say it.
void take_setup(RunSummary& run, const Record& setup) {
  const auto per_epoch = setup.number("steps_per_epoch");
  if (run.epoch || !per_epoch || *per_epoch < 1) return;
  if (run.step) run.epoch = static_cast<double>(*run.step) / *per_epoch;
  if (run.total_steps) run.epochs = static_cast<double>(*run.total_steps) / *per_epoch;
}

void take_recipe(RunSummary& run, const Folder& folder) try {
  const auto open = folder.open("recipe.ini");
  if (!open) {
    run.problems.emplace_back("there is no recipe.ini");
    return;
  }
  recipe::Problems problems;
  const recipe::Source source = recipe::read_ini(plain_text(open->read_whole(recipe::most_recipe_bytes), "recipe.ini"),
                                                 "recipe.ini", recipe::recipe_rank, problems);
  problems.raise();
  if (const recipe::Entry* entry = source.find("", "description")) run.description = entry->text.value;
} catch (const std::runtime_error& error) {  // Error or FileProblem
  run.problems.push_back(fmt::format("recipe.ini: {}", error.what()));
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
  const Record status(folder, status_file(), run.problems), report(folder, report_file(), run.problems),
      setup(folder, setup_file(), run.problems);
  const double series = modified(folder, "series.csv");
  run.life = life_of(
      folder,
      {.status = &status.content, .report = &report.content, .report_modified = report.modified, .series_modified = series});
  run.problems.insert(run.problems.end(), run.life.problems.begin(), run.life.problems.end());
  run.step = run.life.step;
  if (run.life.by_report) take_status(run, status);
  take_report(run, report);
  if (!run.life.by_report) take_status(run, status);
  take_setup(run, setup);
  for (const Record* record : {&report, &setup}) {
    if (run.description.empty()) run.description = record->text("description");
  }
  take_recipe(run, folder);
  const double written = std::max(
      {status.modified, report.modified, series, modified(folder, "log.txt"), modified(folder, "recipe.ini"), run.life.saved});
  run.written = static_cast<std::int64_t>(written);
  return run;
}

json::object to_json(const RunSummary& run) {
  return {{"state", run.life.state},
          {"alive", or_null(run.life.alive)},
          {"why", run.life.why},
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

#include "run_list.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <set>
#include <system_error>
#include <tuple>

#include "io/checkpoint_folder.h"
#include "io/run_lock.h"
#include "qfw/error.h"
#include "recipe/gather.h"
#include "recipe/source.h"
#include "util/text.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t most_report_bytes = 64 << 20;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_run(const fs::path& folder) {
  return is_file(folder / "report.json") || (is_file(folder / "recipe.ini") && is_folder(folder / "checkpoints"));
}

/// Values of a JSON object that another version may have written, or somebody else: what is not there or of another type is
/// absent.
class Fields {
 public:
  /// Adds to `problems` what is wrong with a file that is there.
  Fields(const fs::path& file, std::vector<std::string>& problems) {
    if (!is_file(file)) return;
    try {
      json::error_code fault;
      json::value value = json::parse(read_plain_text(file, most_report_bytes), fault);
      if (fault) {
        problems.push_back(fmt::format("{} is damaged: it is no JSON", file.filename().string()));
      } else if (value.is_object()) {
        object_ = std::move(value.get_object());
        there_ = true;
      } else {
        problems.push_back(fmt::format("{} is JSON, but no object", file.filename().string()));
      }
    } catch (const Error& error) {
      problems.push_back(fmt::format("{} cannot be read: {}", file.filename().string(), error.what()));
    }
  }

  bool there() const { return there_; }
  std::optional<double> number(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const auto number = value->to_number<double>();
    return std::isfinite(number) ? std::optional(number) : std::nullopt;
  }
  std::optional<std::int64_t> whole(std::string_view key) const {
    const auto found = number(key);
    if (!found || std::abs(*found) > 9e15) return std::nullopt;
    return static_cast<std::int64_t>(*found);
  }
  std::string text(std::string_view key) const {
    const json::value* value = object_.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  }

 private:
  json::object object_;
  bool there_ = false;
};

std::int64_t modified(const fs::path& file) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 ? status.st_mtime : 0;
}

bool on_this_machine(const std::string& host) {
  char name[256] = {};
  return host.empty() || (gethostname(name, sizeof name - 1) == 0 && host == name);
}

bool has_ended(std::string_view state) {
  return state == "finished" || state == "interrupted" || state == "diverged" || state == "failed";
}

template <class T>
void prefer(std::optional<T>& value, const std::optional<T>& other) {
  if (other) value = other;
}

void take_report(RunSummary& run, const Fields& report) {
  if (!report.there()) return;
  run.step = report.whole("steps");
  run.total_steps = report.whole("total_steps");
  run.accuracy = report.number("eval_accuracy");
  run.best_accuracy = report.number("best_eval_accuracy");
  run.best_step = report.whole("best_eval_step");
  run.images_per_second = report.number("images_per_second");
  run.description = report.text("description");
}

void take_status(RunSummary& run, const Fields& status) {
  prefer(run.step, status.whole("step"));
  prefer(run.total_steps, status.whole("total_steps"));
  prefer(run.epoch, status.number("epoch"));
  prefer(run.epochs, status.number("epochs"));
  prefer(run.accuracy, status.number("eval_accuracy"));
  prefer(run.best_accuracy, status.number("best_accuracy"));
  prefer(run.best_step, status.whole("best_step"));
  prefer(run.images_per_second, status.number("images_per_second"));
}

/// The epoch of a run of an earlier version, which does not say it.
void take_setup(RunSummary& run, const Fields& setup) {
  const auto per_epoch = setup.number("steps_per_epoch");
  if (run.epoch || !per_epoch || *per_epoch < 1) return;
  if (run.step) run.epoch = static_cast<double>(*run.step) / *per_epoch;
  if (run.total_steps) run.epochs = static_cast<double>(*run.total_steps) / *per_epoch;
}

void take_recipe(RunSummary& run, const fs::path& file) {
  if (!is_file(file)) {
    run.problems.emplace_back("there is no recipe.ini");
    return;
  }
  try {
    recipe::Problems problems;
    const recipe::Source source =
        recipe::read_ini(read_plain_text(file, recipe::most_recipe_bytes), "recipe.ini", recipe::recipe_rank, problems);
    problems.raise();
    if (const recipe::Entry* entry = source.find("", "description")) run.description = entry->text.value;
  } catch (const Error& error) {
    run.problems.push_back(fmt::format("recipe.ini cannot be read: {}", error.what()));
  }
}

std::optional<fs::path> newest_checkpoint(RunSummary& run) {
  try {
    const auto all = checkpoints_in(run.folder / "checkpoints");
    if (!all.empty()) return all.back();
  } catch (const Error& error) {
    run.problems.emplace_back(error.what());
  }
  return std::nullopt;
}

/// step_000012345.h5
std::int64_t step_of(const fs::path& checkpoint) {
  const std::string name = checkpoint.stem().string();
  return std::strtoll(name.c_str() + std::min(name.size(), std::string_view("step_").size()), nullptr, 10);
}

RunSummary summary_of(const fs::path& folder) {
  RunSummary run;
  run.folder = folder;
  const Fields status(folder / "status.json", run.problems), report(folder / "report.json", run.problems),
      setup(folder / "setup.json", run.problems);
  take_report(run, report);
  std::string ended = report.text("status");
  // A later start that was killed has left a status, or a checkpoint beyond the report.
  const bool later = modified(folder / "status.json") >= modified(folder / "report.json");
  if (status.there() && later) {
    take_status(run, status);
    ended = status.text("state");
  }
  const auto checkpoint = newest_checkpoint(run);
  const std::int64_t saved = checkpoint ? step_of(*checkpoint) : 0;
  const bool beyond = saved > run.step.value_or(0);
  if (beyond) run.step = saved;
  take_setup(run, setup);
  take_recipe(run, folder / "recipe.ini");

  if (const auto process = process_running_in(folder, !on_this_machine(status.text("host")))) {
    run.state = "running";
    run.activity = has_ended(ended) ? "starting" : ended;
    if (process->id > 0) run.process = process->id;
  } else if (has_ended(ended) && !beyond) {
    run.state = ended;
  } else if (status.there()) {
    run.state = "killed";
  } else if (checkpoint || report.there() || run.problems.empty()) {
    run.state = "unfinished";
  }
  for (const char* name : {"status.json", "report.json", "log.txt", "recipe.ini", "series.csv"})
    run.written = std::max(run.written, modified(folder / name));
  if (checkpoint) run.written = std::max(run.written, modified(*checkpoint));
  return run;
}

void look_into(const fs::path& folder, int depth, std::set<fs::path>& seen, std::vector<RunSummary>& runs) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (error || !seen.insert(real).second) return;
  const bool run = is_run(folder);
  if (run) runs.push_back(summary_of(folder));
  if (depth == 0) return;
  std::vector<fs::path> folders;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const bool of_the_run = run && it->path().filename() == "checkpoints";
    if (is_folder(it->path()) && !of_the_run) folders.push_back(it->path());
  }
  if (error && !run) {
    RunSummary closed;
    closed.folder = folder;
    closed.problems.push_back(fmt::format("the folder cannot be listed: {}", error.message()));
    runs.push_back(std::move(closed));
  }
  std::ranges::sort(folders);
  for (const fs::path& each : folders) look_into(each, depth - 1, seen, runs);
}

}  // namespace

std::vector<RunSummary> runs_below(const fs::path& folder, int depth) {
  std::set<fs::path> seen;
  std::vector<RunSummary> runs;
  look_into(folder, depth, seen, runs);
  std::ranges::stable_sort(runs, [](const RunSummary& a, const RunSummary& b) {
    return std::tie(a.written, a.folder) < std::tie(b.written, b.folder);
  });
  return runs;
}

}  // namespace qfw

#include "viewer/life.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <ctime>

#include "io/checkpoint_folder.h"
#include "io/run_lock.h"
#include "util/host.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr double slack = 2;   // seconds: what clocks and the times of files may differ by
constexpr double fresh = 10;  // seconds: a status of that age was written by a living process
constexpr std::size_t most_entries = 20'000;

std::string text_of(const json::object* object, std::string_view key) {
  const json::value* value = object == nullptr ? nullptr : object->if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

double number_of(const json::object* object, std::string_view key) {
  const json::value* value = object == nullptr ? nullptr : object->if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

bool is_end(std::string_view state) {
  return state == "finished" || state == "interrupted" || state == "diverged" || state == "failed";
}

struct Saved {
  std::int64_t step = 0;  ///< of the newest that is a file
  double modified = 0;    ///< of that one
  std::string name;       ///< of the newest, whatever it is
};

Saved newest_checkpoint(const Folder& run, std::vector<std::string>& problems) {
  const Folder folder(run.path() / "checkpoints");
  std::error_code error;
  const fs::file_type type = fs::symlink_status(folder.path(), error).type();
  if (type == fs::file_type::symlink) problems.emplace_back("it is a link, and links are not followed");
  if (type != fs::file_type::directory) return {};
  Saved newest;
  std::int64_t named = -1, regular = -1;
  fs::path file;
  std::size_t entries = 0;
  fs::directory_iterator it(folder.path(), error);
  for (const fs::directory_iterator end; !error && it != end && entries < most_entries; it.increment(error), ++entries) {
    const std::int64_t step = checkpoint_step(it->path()).value_or(-1);
    if (step > named) {
      named = step;
      newest.name = it->path().filename().string();
    }
    std::error_code unknown;
    if (step <= regular || it->symlink_status(unknown).type() != fs::file_type::regular) continue;
    newest.step = regular = step;
    file = it->path();
  }
  if (error) problems.push_back(fmt::format("it cannot be listed: {}", unlisted(error)));
  if (entries == most_entries) problems.push_back(fmt::format("only {} entries were looked at", most_entries));
  if (file.empty()) return newest;
  const auto status = fs::last_write_time(file, error);
  if (!error) {
    const auto time = std::chrono::file_clock::to_sys(status).time_since_epoch();
    newest.modified = std::chrono::duration<double>(time).count();
  }
  return newest;
}

class Judge {
 public:
  Judge(const Folder& folder, const Traces& traces)
      : traces_(traces),
        state_(text_of(traces.status, "state")),
        reported_(text_of(traces.report, "status")),
        host_(text_of(traces.status, "host")),
        written_(number_of(traces.status, "written")),
        saved_(newest_checkpoint(folder, life_.problems)),
        here_(host_.empty() || host_ == host_name()),
        lock_(run_lock(folder.path(), !here_)) {}

  Life life() {
    life_.saved = saved_.modified;
    life_.checkpoint = saved_.name;
    life_.by_report = report_is_last();
    life_.step = step();
    const std::string ended = life_.by_report ? reported_ : status_is_end() ? state_ : "";
    if (lock_.state == RunLock::State::held) return at_work(ended);
    if (!ended.empty()) return told(ended, false, life_.by_report ? "report.json" : "status.json");
    if (!state_.empty() && !is_end(state_) && (!here_ || lock_.state == RunLock::State::untold)) return unseen();
    if (!state_.empty()) return told("killed", false, gone() + "it did not report an end");
    const bool traces = saved_.step > 0 || traces_.series_modified > 0 || traces_.report_modified > 0 || lock_.taken > 0;
    if (traces) return told("unfinished", false, gone() + "there is no status.json, and no report of its end");
    return told("unknown", std::nullopt, "there is neither status.json nor report.json");
  }

 private:
  double reported_step() const { return number_of(traces_.report, "steps"); }
  double status_step() const { return number_of(traces_.status, "step"); }
  bool is_held() const { return lock_.state == RunLock::State::held; }

  /// Whether there is a checkpoint that was written after the end that is told.
  bool went_on(double step, double told_at) const {
    return static_cast<double>(saved_.step) > step && saved_.modified > told_at + slack;
  }
  /// The page of a run is made at its end, while it has the lock: an end that was told since then is this process's.
  bool is_of_holder(double told_at) const { return !is_held() || told_at + slack >= lock_.taken; }

  /// A later start that was killed has left a status, series or checkpoint beyond the report.
  bool report_is_last() const {
    const double at = traces_.report_modified;
    if (!is_end(reported_) || (is_held() && at < lock_.taken) || at < written_ || reported_step() < status_step()) return false;
    return !went_on(reported_step(), at) && traces_.series_modified <= at + slack;
  }
  bool status_is_end() const {
    return is_end(state_) && is_of_holder(written_) && !went_on(std::max(status_step(), reported_step()), written_);
  }

  std::optional<std::int64_t> step() const {
    const auto whole = [](double number) { return static_cast<std::int64_t>(std::clamp(number, 0.0, 9e15)); };
    const std::int64_t known = whole(life_.by_report || state_.empty() ? reported_step() : status_step());
    if (saved_.step > known) return saved_.step;
    if (state_.empty() && reported_.empty() && known == 0) return std::nullopt;
    return known;
  }

  Life at_work(const std::string& ended) {
    if (!ended.empty()) return told(ended, false, life_.by_report ? "report.json" : "status.json");
    if (lock_.process > 0) life_.process = lock_.process;
    const std::string by = lock_.process > 0 ? fmt::format("process {}", lock_.process) : std::string("a process");
    if (state_.empty()) return told("running", true, by + " has the folder");
    if (is_end(state_) || !is_of_holder(written_)) return told("starting", true, by + " has started it again");
    return told(state_, true, by + " has the folder");
  }
  Life unseen() {
    const double age = static_cast<double>(std::time(nullptr)) - written_;
    if (std::abs(age) < fresh) return told(state_, true, "status.json");
    const std::string place =
        here_ ? "the folder's lock cannot be read" : fmt::format("it runs on {}, whose processes cannot be seen here", host_);
    return told(state_, std::nullopt, fmt::format("{}; nothing new for {:.0f} s", place, age));
  }
  std::string gone() const {
    return lock_.process > 0 ? fmt::format("process {} is gone, and ", lock_.process) : "no process has the folder, and ";
  }
  Life told(std::string state, std::optional<bool> alive, std::string why) {
    life_.state = std::move(state);
    life_.alive = alive;
    life_.why = std::move(why);
    return std::move(life_);
  }

  Life life_;
  const Traces& traces_;
  std::string state_, reported_, host_;
  double written_;
  Saved saved_;
  bool here_;
  RunLock lock_;
};

}  // namespace

Life life_of(const Folder& folder, const Traces& traces) { return Judge(folder, traces).life(); }

}  // namespace qfw::viewer

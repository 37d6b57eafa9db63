#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "io/json.h"
#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "run/observers/observers.h"
#include "util/host.h"

namespace qfw {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between{500};

double unix_seconds() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

const char* name_of(Busy::With with) {
  switch (with) {
    case Busy::With::compiling:
      return "compiling";
    case Busy::With::evaluating:
      return "evaluating";
    case Busy::With::saving:
      return "saving";
  }
  return "";
}

bool says_finished(const std::filesystem::path& file, std::int64_t steps) try {
  const auto status = read_json(file);
  return status.at("state") == qfw::name_of(Ending::finished) && status.at("step").to_number<std::int64_t>() == steps;
} catch (const std::exception&) {
  return false;
}

/// Cheap enough for steps of a millisecond: twice a second and where the state changes, without waiting for the disk.
class Status final : public RunObserver {
  void already_finished(const RunView& run) override {
    last_checkpoint_ = run.completed;
    if (!says_finished(run.folder.status(), run.completed)) ended(run, Ending::finished, {});
  }
  void starting(const RunView& run) override {
    if (run.completed > 0) last_checkpoint_ = run.completed;
    now(run, "starting");
  }
  void started(const RunView& run) override { now(run, "training"); }
  void failed_to_start(const RunView& run, const std::string& error) override { now(run, "failed", error); }
  void busy(const RunView& run, const Busy& busy) override {
    busy_ = busy;
    now(run, name_of(busy.with));
  }
  void step(const RunView& run, const StepResult& step) override {
    last_ = step;
    now(run, "training");
  }
  void evaluated(const RunView& run, const EvaluationResult&) override { now(run, "training"); }
  void saved(const RunView& run, const std::filesystem::path& path) override {
    if (path != run.folder.best()) last_checkpoint_ = run.completed;
    now(run, "training");
  }
  void ended(const RunView& run, Ending ending, const std::string& error) override {
    ended_ = true;
    now(run, qfw::name_of(ending), error);
  }

  void now(const RunView& run, const char* state, const std::string& error = {}) {
    const bool due = state != state_ || Clock::now() - written_ >= between;
    state_ = state;
    if (due) write(run, error);
  }

  /// Whoever looks on is not worth a training.
  void write(const RunView& run, const std::string& error) try {
    written_ = Clock::now();
    AtomicFile file(run.folder.status());
    file.write(json_pretty(told_of(run, error)));
    file.commit(AtomicFile::Sync::later);
    warned_ = false;
  } catch (const Error& refused) {
    if (!std::exchange(warned_, true)) logger().warn("{}; training goes on without it", refused.what());
  }

  json::object told_of(const RunView& run, const std::string& error) const {
    const Session& session = run.session;
    const History& history = run.history;
    const std::int64_t step = std::min(run.completed, session.total_steps() - 1);
    const Explanation::PhaseRow *phase = run.course.phase(step), *next = run.course.phase_after(step);
    const bool evaluating = state_ == name_of(Busy::With::evaluating) && busy_.of > 0;
    const auto of_last = [&](auto value) { return last_ ? json::value(*last_.*value) : json::value(nullptr); };
    json::object object;
    object["pid"] = getpid();
    object["host"] = host_name();
    object["started"] = started_;
    object["written"] = unix_seconds();
    object["state"] = state_;
    object["error"] = error.empty() ? json::value(nullptr) : json::value(error);
    object["step"] = run.completed;
    object["total_steps"] = session.total_steps();
    object["epoch"] = run.epoch();
    object["epochs"] = run.epochs();
    object["phase"] = phase != nullptr ? json::value(phase->phase) : json::value(nullptr);
    object["phase_first_step"] = phase != nullptr ? json::value(phase->first_step) : json::value(nullptr);
    object["next_phase_step"] = next != nullptr ? json::value(next->first_step) : json::value(nullptr);
    object["evaluated"] = evaluating ? json::value(busy_.done) : json::value(nullptr);
    object["to_evaluate"] = evaluating ? json::value(busy_.of) : json::value(nullptr);
    object["images_per_second"] = run.speed.recent > 0 ? json::value(run.speed.recent) : json::value(nullptr);
    object["peak_share"] = or_null(run.recent_peak_share());
    object["seconds_left"] = ended_ ? json::value(nullptr) : or_null(run.seconds_left());
    object["loss"] = of_last(&StepResult::loss);
    object["accuracy"] = of_last(&StepResult::accuracy);
    object["learning_rate"] = of_last(&StepResult::rate);
    object["eval_accuracy"] = or_null(history.eval_accuracy);
    object["best_accuracy"] = or_null(history.best_accuracy);
    object["best_step"] = history.best_accuracy ? json::value(history.best_step) : json::value(nullptr);
    object["cores"] = or_null(run.speed.cores);
    object["last_checkpoint_step"] = or_null(last_checkpoint_);
    return object;
  }

  const double started_ = unix_seconds();
  std::string state_;
  Clock::time_point written_{};
  std::optional<StepResult> last_;
  Busy busy_;
  std::optional<std::int64_t> last_checkpoint_;
  bool ended_ = false, warned_ = false;
};

}  // namespace

std::unique_ptr<RunObserver> make_status() { return std::make_unique<Status>(); }

}  // namespace qfw

#include "io/log.h"
#include "run/cores.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class LogLines final : public RunObserver {
  void started(const RunView& run) override {
    for (const std::string& note : run.notes) logger().warn("{}", note);
  }

  /// Each once while the run goes on, so that nobody waits to its end to learn why it is slow.
  void step(const RunView& run, const StepResult& step) override {
    if (step.skipped && !told_of_skipping_) {
      told_of_skipping_ = true;
      logger().info(
          "step {}: gradients are beyond the range of f16 with a loss scale of {}: the step changes nothing else and "
          "halves it, as later ones may (train.loss_scale)",
          step.number, step.loss_scale);
    }
    if (warned_ || !run.speed.recent_cores || !are_few(threads(run), *run.speed.recent_cores)) return;
    warned_ = true;
    logger().warn("{}", cores_text(threads(run), *run.speed.recent_cores, run.speed.decoding_cores, "in the last half minute"));
  }

  void ended(const RunView& run, Ending, const std::string&) override {
    if (run.history.skipped_steps > 0) {
      logger().info("{} of {} steps changed nothing but the loss scale", run.history.skipped_steps, run.completed);
    }
    if (!run.speed.cores) return;
    const auto level = are_few(threads(run), *run.speed.cores) ? spdlog::level::warn : spdlog::level::info;
    logger().log(level, "{}", cores_text(threads(run), *run.speed.cores, run.speed.decoding_cores, "on average"));
  }

  static int threads(const RunView& run) { return run.session.backend().threads() * run.session.replicas().count(); }

  bool warned_ = false, told_of_skipping_ = false;
};

}  // namespace

std::unique_ptr<RunObserver> make_log_lines() { return std::make_unique<LogLines>(); }

}  // namespace qfw

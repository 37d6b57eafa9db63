#include "io/log.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class LogLines final : public RunObserver {
  void started(const RunView& run) override {
    for (const std::string& note : run.notes) logger().warn("{}", note);
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_log_lines() { return std::make_unique<LogLines>(); }

}  // namespace qfw

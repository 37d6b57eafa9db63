#include "run/report.h"

#include "io/log.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class Report final : public RunObserver {
  /// It may have been killed before it was written.
  void already_finished(const RunView& run) override {
    if (!report_says_finished(run.folder, run.completed)) write_run_report(run, Ending::finished);
  }
  void ended(const RunView& run, Ending ending, const std::string& error) override {
    if (ending == Ending::finished || ending == Ending::interrupted) return write_run_report(run, ending);
    try {
      write_run_report(run, ending, error);
    } catch (const Error& other) {  // never instead of the error itself, which may be that nothing can be written
      logger().warn("no report: {}", other.what());
    }
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_report() { return std::make_unique<Report>(); }

}  // namespace qfw

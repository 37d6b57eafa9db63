#include "qfw/atomic_file.h"
#include "run/observers/observers.h"
#include "run/report.h"

namespace qfw {

namespace {

class RunRecord final : public RunObserver {
  void started(const RunView& run) override {
    // Of a run that goes on, too: eval and export read it.
    write_text_atomically(run.folder.recipe(), run.session.recipe().text());
    write_environment(run.folder.environment(), run.session);
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_run_record() { return std::make_unique<RunRecord>(); }

}  // namespace qfw

#include "viewer/report_observer.h"

#include <boost/json.hpp>

#include "io/log.h"
#include "viewer/page.h"
#include "viewer/run_document.h"

namespace qfw::viewer {

namespace {

class ReportPage final : public RunObserver {
  /// Never the end of a run, nor instead of the error that ended it.
  void ended(const RunView& run, Ending, const std::string&) override try {
    RunReader reader(run.folder.path());
    reader.refresh();
    write_page(run.folder.path() / "report.html", report_page({reader.document()}));
  } catch (const std::exception& error) {
    logger().warn("no report.html: {}", error.what());
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_report_page() { return std::make_unique<ReportPage>(); }

}  // namespace qfw::viewer

#include "viewer/report_observer.h"

#include <boost/json.hpp>

#include "io/log.h"
#include "viewer/page.h"
#include "viewer/run_document.h"

namespace qfw::viewer {

namespace {

class ReportPage final : public RunObserver {
  void ended(const RunView& run, Ending, const std::string&) override { write_report_page(run.folder.path()); }
};

}  // namespace

void write_report_page(const std::filesystem::path& run) noexcept try {
  RunReader reader(run);
  reader.refresh();
  write_page(run / "report.html", report_page({reader.document()}));
} catch (const std::exception& error) {
  logger().warn("no report.html: {}", error.what());
}

std::unique_ptr<RunObserver> make_report_page() { return std::make_unique<ReportPage>(); }

}  // namespace qfw::viewer

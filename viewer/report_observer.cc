#include "viewer/report_observer.h"

#include <boost/json.hpp>

#include "io/log.h"
#include "viewer/page.h"
#include "viewer/run_document.h"

namespace qfw::viewer {

namespace {

constexpr std::string_view page_name = "report.html";

class ReportPage final : public RunObserver {
  void already_finished(const RunView& run) override {
    if (!is_whole_page(run.folder.path() / page_name)) write(run.folder.path());
  }
  void ended(const RunView& run, Ending, const std::string&) override { write(run.folder.path()); }

  static void write(const std::filesystem::path& run) noexcept try {
    RunReader reader(run);
    reader.refresh();
    write_page(run / page_name, report_page({reader.document()}));
  } catch (const std::exception& error) {
    logger().warn("no report.html: {}", error.what());
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_report_page() { return std::make_unique<ReportPage>(); }

}  // namespace qfw::viewer

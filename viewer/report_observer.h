#pragma once

#include <filesystem>
#include <memory>

#include "run/observer.h"

namespace qfw::viewer {

/// The page of a run, by its usual name in the run's folder. One that cannot be written is warned of: no run fails for it.
void write_report_page(const std::filesystem::path& run) noexcept;

/// report.html, beside report.json and after it, whatever ends the run.
std::unique_ptr<RunObserver> make_report_page();

}  // namespace qfw::viewer

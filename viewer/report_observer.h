#pragma once

#include <memory>

#include "run/observer.h"

namespace qfw::viewer {

/// report.html, the page of a run in its folder, beside report.json and after it, whatever ends the run; of a finished one
/// again where it is missing or damaged. One that cannot be written is warned of: no run fails for it.
std::unique_ptr<RunObserver> make_report_page();

}  // namespace qfw::viewer

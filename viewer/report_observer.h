#pragma once

#include <memory>

#include "run/observer.h"

namespace qfw::viewer {

/// report.html, beside report.json and after it, whatever ends the run. One that cannot be written is warned of.
std::unique_ptr<RunObserver> make_report_page();

}  // namespace qfw::viewer

#pragma once

#include <filesystem>
#include <string>

#include "run/observer.h"

namespace qfw {

/// report.json: accuracies, steps, speed, first step with a loss that was not finite, the resolved recipe; and what ended the
/// run, where that was an error.
void write_run_report(const RunView& run, Ending ending, const std::string& error = {});

/// Whether report.json says that the run is finished after so many steps.
bool report_says_finished(const RunFolder& folder, std::int64_t steps);

/// environment.json: versions, machine, backend.
void write_environment(const std::filesystem::path& path, Session& session);

}  // namespace qfw

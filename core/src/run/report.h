#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/history.h"
#include "run/session.h"

namespace qfw {

struct RunReport {
  const char* status = "";      ///< "finished", "interrupted", "diverged", "failed"
  const char* error = nullptr;  ///< what ended it
  std::int64_t steps = 0;
  double images_per_second = 0;
  History history;
  std::vector<std::string> notes;  ///< see run/notes.h
};

/// report.json: accuracies, steps, speed, first step with a loss that was not finite, the resolved recipe.
void write_run_report(const std::filesystem::path& path, const RunReport& report, Session& session);

/// environment.json: versions, machine, backend.
void write_environment(const std::filesystem::path& path, Session& session);

}  // namespace qfw

#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "viewer/life.h"

namespace qfw::viewer {

/// What the files of a run folder say of it, as one row of a list. What they do not say is absent.
struct RunSummary {
  std::filesystem::path folder;
  Life life;
  std::optional<std::int64_t> step, total_steps, best_step;
  std::optional<double> epoch, epochs, accuracy, best_accuracy, images_per_second;
  std::int64_t written = 0;  ///< seconds since 1970, of the file that was written last
  std::string description;
  std::vector<std::string> problems;  ///< what is wrong with its files: "recipe.ini: it is empty"
  std::vector<std::string> damaged;   ///< of the files that say what a run is and came to, those that are not whole

  /// "damaged" if some of these are and nobody is at work who would write them again, otherwise that of `life`.
  std::string state() const;
  std::string state_text() const;  ///< "damaged: status.json"
};

/// Bounded whatever the folder holds, and no error.
RunSummary summary_of(const std::filesystem::path& folder);

/// {"state", "damaged", "alive", "why", "process", "step", "total_steps", "epoch", "epochs", "eval_accuracy", "best_accuracy",
/// "best_step", "images_per_second", "written", "description", "problems"}
boost::json::object to_json(const RunSummary& run);

}  // namespace qfw::viewer

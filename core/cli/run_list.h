#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace qfw {

/// What the files of a run folder say of it. What they do not say is absent.
struct RunSummary {
  std::filesystem::path folder;
  /// running, finished, interrupted, diverged or failed as it ended; killed: it was at work and is not any more; unfinished: an
  /// earlier version's, which does not say why; unknown: nothing can be read.
  std::string state = "unknown";
  std::string activity;  ///< of a running one: training, evaluating, ...
  std::optional<int> process;
  std::optional<std::int64_t> step, total_steps, best_step;
  std::optional<double> epoch, epochs, accuracy, best_accuracy, images_per_second;
  std::int64_t written = 0;  ///< seconds since 1970, of the file that was written last
  std::string description;
  std::vector<std::string> problems;  ///< files that cannot be read, and what they hold instead
};

/// The runs in a folder and in those below it, links included, each once; the one that was written last comes last, equals by
/// name. Never throws for what lies there. `depth` folders below are looked into.
std::vector<RunSummary> runs_below(const std::filesystem::path& folder, int depth = 6);

}  // namespace qfw

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "qfw/export.h"

namespace qfw {

/// What of the machine the calling thread may compute on.
struct QFW_API Processors {
  int machine_cores = 1;        ///< physical cores of the whole machine
  int cores = 1;                ///< physical ones of which the thread's affinity mask has a hardware thread
  std::vector<int> allowed;     ///< hardware threads in that mask, ascending
  std::optional<double> quota;  ///< processors' worth of time that the control groups around the process grant it

  /// To compute with: one for each core, but not more than the quota, to the nearest number. Rounding down would leave nearly
  /// half of a quota of 1.9 unused; a thread too many costs less, as all of them stand still together, at the end of each
  /// period, for the part that is missing.
  int threads() const;
  /// Why it is not the whole machine: "of 16 cores; the cgroup allows 2.0"; empty if it is.
  std::string limits() const;
};

/// Control groups of both versions count, with all that they lie in. What cannot be read limits nothing. `root` is where /proc
/// and /sys are looked for. Replicas that are made in one process get equal shares of the quota.
QFW_API Processors usable_processors(const std::filesystem::path& root = "/");

}  // namespace qfw

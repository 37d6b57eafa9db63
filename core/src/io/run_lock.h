#pragma once

#include <filesystem>

namespace qfw {

/// What the lock of a run's folder (RunFolder, write) tells of the process that works there.
struct RunLock {
  enum class State { free, held, untold };

  State state = State::free;  ///< untold: the file cannot be read, or its file system has no locks
  int process = 0;            ///< that holds it, or was the last that did; 0: the file does not say
  double taken = 0;           ///< when, in seconds since 1970; 0 if there is no lock
};

/// Takes the lock itself, shared and for a moment, only where the process that last had it is alive or not known; or in any
/// case if that may be `elsewhere`, on another machine. Follows no link.
RunLock run_lock(const std::filesystem::path& folder, bool elsewhere = false);

}  // namespace qfw

#pragma once

#include <filesystem>
#include <optional>

namespace qfw {

/// The process that holds a run folder's lock (RunFolder, write), if one does. Takes the lock itself, shared and for a moment,
/// only where the process that last had it is alive; or in any case if that may be `elsewhere`, on another machine.
struct RunningProcess {
  int id = 0;  ///< 0: the file does not say
};
std::optional<RunningProcess> process_running_in(const std::filesystem::path& folder, bool elsewhere = false);

}  // namespace qfw

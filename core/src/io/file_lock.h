#pragma once

#include <filesystem>

namespace qfw {

/// Takes the exclusive lock (flock) of an open file; the system drops it with the descriptor, however the process ends.
enum class Waiting { yes, no };
/// False if another process has it, and `waiting` is no. Where the file system has no locks, says so once per file and goes on.
bool lock_file(int descriptor, const std::filesystem::path& path, Waiting waiting);

}  // namespace qfw

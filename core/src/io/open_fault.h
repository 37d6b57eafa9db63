#pragma once

#include <filesystem>
#include <string>

namespace qfw {

/// Why a file could not be opened, in words: of `error`, which open() gave, and of what lies at `path` ("it is a socket, not a
/// file", "it is a link to a, which is not there").
std::string open_fault(const std::filesystem::path& path, int error);

/// "it is a pipe, not a file" of what lies at `path`, links followed; empty for a file, and where nothing can be seen.
std::string fault_of_kind(const std::filesystem::path& path);

}  // namespace qfw

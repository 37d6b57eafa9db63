#pragma once

#include <filesystem>
#include <string>

#include "qfw/export.h"

namespace qfw {

/// Why plugins must not be taken from this folder or file: somebody other than root, the caller and the owner of the running
/// program may write it. Empty: they may.
QFW_API std::string unsafe_reason(const std::filesystem::path& path);

}  // namespace qfw

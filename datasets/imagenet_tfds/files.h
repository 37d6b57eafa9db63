#pragma once

#include <filesystem>
#include <string>

#include "qfw/regular_file.h"

namespace qfw::tfds {

/// At most 64 MiB.
std::string read_short_text(const std::filesystem::path& path);

/// What a file that is no TFRecord and no JSON probably is, by its first bytes, and what to do; empty if that cannot be told.
std::string disguise_of(const RegularFile& file);

}  // namespace qfw::tfds

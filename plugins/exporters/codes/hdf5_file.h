#pragma once

#include <filesystem>

#include "contents.h"

namespace qfw::codes {

/// A data set for each array, in groups as its name says, and a string, the description. The file appears by rename.
void write_hdf5(const Contents& contents, const std::filesystem::path& file);

}  // namespace qfw::codes

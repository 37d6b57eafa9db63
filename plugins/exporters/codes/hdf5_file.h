#pragma once

#include <filesystem>

#include "contents.h"
#include "qfw/regular_file.h"

namespace qfw::codes {

/// A data set for each array, in groups as its name says, and a string, the description. The file appears by rename.
void write_hdf5(const Contents& contents, const std::filesystem::path& file);
/// The description in a file of write_hdf5(); empty: it is another one, or damaged.
std::string description_in_hdf5(const RegularFile& file);

}  // namespace qfw::codes

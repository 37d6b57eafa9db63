#pragma once

#include <filesystem>

#include "contents.h"
#include "qfw/regular_file.h"

namespace qfw::codes {

/// A zip archive without compression or times, of NAME.npy for each array and the description: what numpy.load reads.
/// The file appears by rename.
void write_npz(const Contents& contents, const std::filesystem::path& file);
/// The description in a file of write_npz(); empty: it is another one, or damaged.
std::string description_in_npz(const RegularFile& file);

}  // namespace qfw::codes

#pragma once

#include <filesystem>

#include "contents.h"

namespace qfw::codes {

/// A zip archive without compression or times, of NAME.npy for each array and the description: what numpy.load reads.
/// The file appears by rename.
void write_npz(const Contents& contents, const std::filesystem::path& file);

}  // namespace qfw::codes

#pragma once

#include "listing.h"
#include "qfw/dataset.h"

namespace qfw::image_folder {

/// Of a split's files, without opening one: names below the split's folder, sizes, labels, and the names of the classes; and
/// when the files changed. That a file cannot be examined is part of it.
Dataset::Identity identity_of(const Listing& listing, const std::filesystem::path& split,
                              const std::vector<std::string>& class_names);

}  // namespace qfw::image_folder

#pragma once

#include "listing.h"

namespace qfw::image_folder {

/// What is odd about a split, as sentences with numbers.
std::vector<std::string> notes_of(const Listing& listing, const std::filesystem::path& split,
                                  const std::vector<std::string>& class_names);

/// "a, b, c and 12 more"
std::string some_of(const std::vector<std::string>& names);

}  // namespace qfw::image_folder

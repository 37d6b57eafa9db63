#pragma once

#include <cstdint>
#include <string>

#include "layout.h"

namespace qfw::hdf5_dataset {

/// The label of every example of a split without labels; check() lets it pass nowhere else.
inline constexpr std::int64_t unlabelled = -1;

/// Throws Error::Category::data unless what a file says of itself makes a data set of images: shapes, counts, labels, class
/// names.
void check(const FileLayout& layout, const std::string& path);

/// Without class_names: one more than the largest label.
std::int64_t classes_of(const FileLayout& layout);

}  // namespace qfw::hdf5_dataset

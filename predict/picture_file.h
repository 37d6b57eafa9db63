#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "qfw/dataset.h"

namespace qfw::predict {

/// A JPEG, PNG or WebP file, or its bytes, told by how they begin; the pixels are not decoded. Throws Error::Category::data for
/// what is none or has more than 2^28 bytes.
Example picture_file(const std::filesystem::path& path);  ///< owns its bytes
Example picture_bytes(std::span<const std::byte> bytes);

}  // namespace qfw::predict

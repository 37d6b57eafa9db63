#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "qfw/dataset.h"
#include "qfw/image.h"

namespace qfw {

struct Thumbnail {
  image::Size size;      ///< of the picture itself
  std::string data_url;  ///< a PNG of it, its longest side at most `longest`: "data:image/png;base64,..."
};

/// Of what a data set holds. None where it cannot be decoded, or has more than 2^26 pixels.
std::optional<Thumbnail> thumbnail_of(const Example& example, int longest = 96);

/// RFC 4648, with padding.
std::string base64(std::span<const std::byte> bytes);

}  // namespace qfw

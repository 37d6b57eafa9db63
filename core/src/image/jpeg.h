#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "qfw/image.h"

namespace qfw::image {

/// Pictures of more pixels are refused before anything is allocated for them: a hostile header must not take the memory.
/// A WebP of a few bytes may be rightly of any size, and its library takes seven bytes a pixel.
constexpr std::int64_t max_pixels = std::int64_t{1} << 28, max_webp_pixels = std::int64_t{1} << 26;

Size jpeg_size(std::span<const std::byte> bytes);
/// fast: TensorFlow's decoder; accurate: nearly all others, Pillow among them.
enum class JpegTransform : std::uint8_t { fast, accurate };
/// A window, or all of it, as [height, width, 3] into `pixels`, whose capacity is reused.
Size decode_jpeg(std::span<const std::byte> bytes, const std::optional<Window>& window, std::vector<std::uint8_t>& pixels,
                 JpegTransform transform = JpegTransform::fast);

Size png_size(std::span<const std::byte> bytes);
Size decode_png(std::span<const std::byte> bytes, std::vector<std::uint8_t>& pixels);  ///< all of it

Size webp_size(std::span<const std::byte> bytes);
Size decode_webp(std::span<const std::byte> bytes, std::vector<std::uint8_t>& pixels);  ///< all of it

/// Throws Error::Category::data for a window that is not within the picture.
void check_window(const Window& window, Size picture);
void check_size(std::int64_t height, std::int64_t width, std::int64_t most = max_pixels);

}  // namespace qfw::image

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace qfw::fashion_mnist {

inline constexpr std::int64_t height = 28, width = 28, classes = 10;

/// Images and labels of a split, in the order of the files.
struct Images {
  std::int64_t count = 0;
  std::vector<std::byte> pixels;  ///< [count, 28, 28], dark to bright
  std::vector<std::uint8_t> labels;
};

/// Reads a pair of gzip IDX files (magic 0x803: u8 images, 0x801: u8 labels; big-endian extents), checking that they belong
/// together.
Images read_images(const std::filesystem::path& images, const std::filesystem::path& labels);

}  // namespace qfw::fashion_mnist

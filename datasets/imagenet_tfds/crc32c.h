#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace qfw::tfds {

/// CRC-32C (Castagnoli), by the processor's instruction where it has one.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// As TFRecord files store it: rotated right by 15 bits, plus a constant.
inline std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

}  // namespace qfw::tfds

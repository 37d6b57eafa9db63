#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "qfw/error.h"

namespace qfw::image_folder {

inline constexpr const char* tag = "image_folder";

std::filesystem::path with_home(const std::string& path);  ///< ~ expanded

struct Bytes {
  std::shared_ptr<std::byte[]> memory;
  std::size_t size = 0;
};
inline constexpr std::uint64_t most_picture = 1 << 30, most_list = 64 << 20;  ///< bytes

/// All of a file, which may have no more than `most` bytes. Throws Error::Category::data naming it.
Bytes read_bytes(const std::filesystem::path& path, std::uint64_t most = most_picture);

/// Writes a file under another name and renames it, so that it is there whole or not at all (short of a power cut, see
/// sync_file_system).
void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace qfw::image_folder

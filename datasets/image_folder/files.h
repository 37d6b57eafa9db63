#pragma once

#include <cstddef>
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
/// All of a file. Throws Error::Category::data naming it.
Bytes read_bytes(const std::filesystem::path& path);

/// Writes a file under another name and renames it, so that it is there whole or not at all (short of a power cut, see sync_file_system).
void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes);

/// jpg, jpeg or png, in small or capital letters.
bool has_image_extension(std::string_view name);

}  // namespace qfw::image_folder

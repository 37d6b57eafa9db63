#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "qfw/text.h"

namespace qfw {

/// Of a text that people write: UTF-8, a byte order mark left out. Throws Error::Category::usage for what is no regular file,
/// is larger than `most` bytes, is stored in another encoding, or is no text.
std::string read_plain_text(const std::filesystem::path& file, std::size_t most);
/// The same of what was read of it.
std::string plain_text(std::string text, const std::filesystem::path& file);

/// What is wrong with bytes taken for text: "it is stored as UTF-16, ..."; empty if nothing is.
std::string encoding_fault(std::string_view bytes);

/// As messages show it: without control characters, and shortened in the middle if it is long.
std::string shown(std::string_view text, std::size_t most = 200);

}  // namespace qfw

#pragma once

#include <string>
#include <string_view>

namespace qfw::image_folder {

/// What programs leave behind and nobody means as data: names that begin with a dot, `Thumbs.db`, `__MACOSX`, `lost+found`, ...
bool is_skipped(std::string_view name);

/// In small letters, without its dot; empty if there is none.
std::string extension_of(std::string_view name);

inline constexpr const char* read_forms = "JPEG, PNG and WebP";
/// jpg, jpeg, png or webp, in small or capital letters.
bool has_image_extension(std::string_view name);
/// Of a picture in a form that is not read, or none at all: what might be meant as data.
bool may_be_unread_picture(std::string_view extension);
/// tar, zip and the like.
bool is_archive(std::string_view extension);

}  // namespace qfw::image_folder

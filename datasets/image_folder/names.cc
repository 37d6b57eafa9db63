#include "names.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace qfw::image_folder {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

template <std::size_t count>
bool is_among(const std::array<std::string_view, count>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

bool is_skipped(std::string_view name) {
  static constexpr auto known =
      std::to_array<std::string_view>({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "lost+found", "@eadir",
                                       "@recycle", "#recycle", "$recycle.bin", "system volume information", "__pycache__"});
  return name.starts_with('.') || is_among(known, lower(name));
}

std::string extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string() : lower(name.substr(dot + 1));
}

bool has_image_extension(std::string_view name) {
  static constexpr auto read = std::to_array<std::string_view>({"jpg", "jpeg", "png", "webp"});
  return is_among(read, extension_of(name));
}

bool may_be_unread_picture(std::string_view extension) {
  static constexpr auto unread = std::to_array<std::string_view>(
      {"",    "bmp", "dib", "gif", "tif", "tiff", "heic", "heif", "avif", "jfif", "jpe", "jp2", "j2k", "jxl", "jxr", "ppm",
       "pgm", "pbm", "pnm", "tga", "ico", "svg",  "psd",  "exr",  "hdr",  "dng",  "cr2", "nef", "arw", "raw", "dcm", "npy"});
  return is_among(unread, extension);
}

bool is_archive(std::string_view extension) {
  static constexpr auto archives =
      std::to_array<std::string_view>({"tar", "tgz", "gz", "bz2", "xz", "zst", "zip", "7z", "rar"});
  return is_among(archives, extension);
}

}  // namespace qfw::image_folder

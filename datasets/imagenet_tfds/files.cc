#include "files.h"

#include <algorithm>
#include <cctype>
#include <span>
#include <string_view>
#include <utility>

#include "qfw/error.h"

namespace qfw::tfds {

std::string read_short_text(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 64 << 20;
  const RegularFile file(path);
  if (file.size() > most)
    fail(Error::Category::data, "tfds", "it has more than 64 MiB, which no such file needs", path.string());
  return file.text();
}

std::string disguise_of(const RegularFile& file) {
  if (file.size() == 0) return "the file is empty: fetch it again";
  std::string head(std::min<std::uint64_t>(file.size(), 512), '\0');
  file.read(0, std::as_writable_bytes(std::span(head)));
  using namespace std::string_view_literals;
  static constexpr std::pair<std::string_view, const char*> beginnings[] = {
      {"\x1f\x8b"sv, "it is compressed with gzip: unpack it with gunzip"},
      {"BZh"sv, "it is compressed with bzip2: unpack it"},
      {"\xfd\x37zXZ\0"sv, "it is compressed with xz: unpack it"},
      {"\x28\xb5\x2f\xfd"sv, "it is compressed with zstd: unpack it"},
      {"PK\x03\x04"sv, "it is a zip archive: unpack it"},
      {"version https://git-lfs"sv, "it is a pointer of Git LFS, not the data: run `git lfs pull`"}};
  for (const auto& [beginning, what] : beginnings) {
    if (head.starts_with(beginning)) return what;
  }
  if (head.size() >= 262 && std::string_view(head).substr(257, 5) == "ustar") return "it is a tar archive: unpack it";
  std::ranges::transform(head, head.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view text = std::string_view(head).substr(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  for (const std::string_view page : {"<!doctype", "<html", "<head", "<?xml"}) {
    if (text.starts_with(page)) return "it is a web page (HTML), as a download that was refused leaves behind: fetch it again";
  }
  return {};
}

}  // namespace qfw::tfds

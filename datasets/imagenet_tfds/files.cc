#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>

#include "qfw/error.h"

namespace qfw::tfds {

namespace {

[[noreturn]] void unreadable(const std::filesystem::path& path) {
  const int error = errno;
  fail(Error::Category::data, "tfds", fmt::format("cannot read the file: {}", std::strerror(error)), path.string(),
       error == EMFILE ? "raise the limit of open files (ulimit -n)" : "check that it is there and may be read");
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

File::File(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {  // a pipe must not block
  if (descriptor_ < 0) unreadable(path_);
  struct stat status {};
  const int failed = fstat(descriptor_, &status) != 0 ? errno : 0;
  if (failed != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    errno = failed;
    if (failed != 0) unreadable(path_);
    fail(Error::Category::data, "tfds",
         S_ISDIR(status.st_mode) ? "it is a folder, not a file" : "it is a pipe or a device, not a file", path_.string());
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  modified_ = nanoseconds(status.st_mtim);
}

File::~File() { close(descriptor_); }

void File::read(std::span<std::byte> bytes, std::uint64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t got = pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) unreadable(path_);
    if (got == 0)
      fail(Error::Category::data, "tfds", fmt::format("the file was cut short while it was open: it ends at byte {}", offset),
           path_.string(), "leave files alone while a run reads them");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

FileState state_of(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) unreadable(path);
  return {.size = static_cast<std::uint64_t>(status.st_size),
          .inode = status.st_ino,
          .modified = nanoseconds(status.st_mtim),
          .changed = nanoseconds(status.st_ctim)};
}

std::string read_text(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 64 << 20;
  const File file(path);
  if (file.size() > most)
    fail(Error::Category::data, "tfds", "it has more than 64 MiB, which no such file needs", path.string());
  std::string text(file.size(), '\0');
  file.read(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

std::string disguise_of(const File& file) {
  if (file.size() == 0) return "the file is empty: fetch it again";
  std::string head(std::min<std::uint64_t>(file.size(), 512), '\0');
  file.read(std::as_writable_bytes(std::span(head)), 0);
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

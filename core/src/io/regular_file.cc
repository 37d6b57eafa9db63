#include "qfw/regular_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/open_fault.h"
#include "qfw/error.h"
#include "qfw/random.h"

namespace qfw {

std::string_view irregular(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return {};
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

namespace {
std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }
}  // namespace

RegularFile::RegularFile(std::filesystem::path path, std::string_view remedy)
    : path_(std::move(path)), remedy_(remedy.empty() ? "name a file that is there and may be read" : remedy) {
  // Not blocking: opening a pipe would wait for a writer.
  do descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (descriptor_ < 0 && errno == EINTR);
  struct stat status {};
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0) {
    const int error = errno;
    if (descriptor_ >= 0) close(descriptor_);
    failed(open_fault(path_, error));
  }
  if (const std::string_view kind = irregular(status.st_mode); !kind.empty()) {
    close(descriptor_);
    failed(fmt::format("it is {}, not a file", kind));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  modified_ = nanoseconds(status.st_mtim);
  identity_ =
      hash_of(fmt::format("{} {} {} {} {}", status.st_dev, status.st_ino, size_, modified_, nanoseconds(status.st_ctim)));
}

RegularFile::~RegularFile() { close(descriptor_); }

void RegularFile::failed(std::string_view cause) const {
  fail(Error::Category::data, "file", fmt::format("cannot read {}: {}", path_.string(), cause), {}, remedy_);
}

std::size_t RegularFile::read_some(std::uint64_t offset, std::span<std::byte> to) const {
  for (;;) {
    const ssize_t got = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) failed(std::strerror(errno));
  }
}

void RegularFile::read(std::uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const std::size_t got = read_some(offset, to);
    if (got == 0) failed(fmt::format("it ends at byte {}, {} more are missing", offset, to.size()));
    to = to.subspan(got);
    offset += got;
  }
}

void RegularFile::check_unchanged() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) failed(std::strerror(errno));
  if (static_cast<std::uint64_t>(status.st_size) != size_ || nanoseconds(status.st_mtim) != modified_)
    failed("it has changed since it was opened");
}

std::string RegularFile::name_of_open() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

std::string RegularFile::text() const {
  std::string text;
  for (std::size_t done = 0;;) {
    text.resize(std::max<std::size_t>(size_ + 1, done + (1 << 14)));
    const std::size_t got = read_some(done, std::as_writable_bytes(std::span(text)).subspan(done));
    done += got;
    if (got > 0) continue;
    text.resize(done);
    return text;
  }
}

std::string read_text(const std::filesystem::path& path) { return RegularFile(path).text(); }

}  // namespace qfw

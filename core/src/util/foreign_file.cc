#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "qfw/confined.h"
#include "qfw/error.h"
#include "qfw/random.h"

namespace qfw {

namespace {

const char* kind_of(mode_t mode) {
  return S_ISDIR(mode)                    ? "a folder"
         : S_ISFIFO(mode)                 ? "a pipe"
         : S_ISSOCK(mode)                 ? "a socket"
         : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                          : "something else";
}

[[noreturn]] void unreadable(const std::filesystem::path& path, std::string_view why) {
  fail(Error::Category::data, "file", fmt::format("cannot read the file: {}", why), path.string(),
       "name a file that can be read");
}

}  // namespace

ForeignFile::ForeignFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat status {};
  // Looked at before it is opened: opening a device may do something. Opened without waiting: it may be another thing by then.
  if (stat(path_.c_str(), &status) != 0) unreadable(path_, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) unreadable(path_, fmt::format("it is {}, no regular file", kind_of(status.st_mode)));
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) unreadable(path_, std::strerror(errno));
  const int error = fstat(descriptor_, &status) != 0 ? errno : 0;
  if (error != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    unreadable(path_, error != 0 ? std::strerror(error) : "it is no regular file any more");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  modified_ = status.st_mtim;
  storage_identity_ =
      hash_of(fmt::format("{} {} {} {} {} {} {}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                          status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec));
}

ForeignFile::~ForeignFile() { close(descriptor_); }

std::string ForeignFile::name_of_open() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

void ForeignFile::read(std::uint64_t offset, std::span<std::byte> to) const {
  const auto failed = [&](const std::string& why) {
    fail(Error::Category::data, "file", fmt::format("cannot read {} bytes at offset {}: {}", to.size(), offset, why),
         path_.string(), "the file is damaged or being written: make it again");
  };
  struct stat status {};
  while (!to.empty()) {
    const ssize_t got = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failed(std::strerror(errno));
    if (got == 0) failed("the file ends");
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  // After reading, so that what was read is what was there when the file was opened.
  if (fstat(descriptor_, &status) != 0) failed(std::strerror(errno));
  if (static_cast<std::uint64_t>(status.st_size) != size_ || status.st_mtim.tv_sec != modified_.tv_sec ||
      status.st_mtim.tv_nsec != modified_.tv_nsec) {
    failed("the file has changed since it was opened");
  }
}

}  // namespace qfw

#include "io/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "qfw/error.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view marker = ".qfw-tmp.";

[[noreturn]] void failed(std::string_view what, const fs::path& path, int error) {
  fail(Error::Category::data, "file", fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error)));
}

/// Makes what was written to a file or folder survive a power cut.
void sync(const fs::path& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) failed("open", path, errno);
  const int status = fsync(descriptor), error = errno;
  close(descriptor);
  if (status != 0 && error != EINVAL && error != EROFS) failed("write", path, error);  // EINVAL: the file system has no fsync
}

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  static std::atomic<unsigned> number{0};
  temporary_ = target_.parent_path() / fmt::format(".{}{}{}.{}", target_.filename().string(), marker, getpid(), number++);
}

AtomicFile::~AtomicFile() {
  std::error_code ignored;
  if (!committed_) fs::remove(temporary_, ignored);
}

void AtomicFile::commit() {
  sync(temporary_, O_RDONLY);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) failed("rename a finished file to", target_, errno);
  committed_ = true;
  sync(target_.has_parent_path() ? target_.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

std::string read_text(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) failed("open", path, errno);
  std::string text;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) break;
    if (got < 0 && errno != EINTR) {
      const int error = errno;
      close(descriptor);
      failed("read", path, error);
    }
  }
  close(descriptor);
  return text;
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  errno = 0;
  std::ofstream stream(file.temporary(), std::ios::binary | std::ios::trunc);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  stream.close();
  if (!stream) failed("write", path, errno);
  file.commit();
}

void remove_stale_temporaries(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') && name.find(marker) != std::string::npos) fs::remove(entry.path(), ignored);
  }
}

}  // namespace qfw

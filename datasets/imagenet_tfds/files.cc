#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "qfw/error.h"

namespace qfw::tfds {

namespace {

[[noreturn]] void unreadable(const std::filesystem::path& path) {
  fail(Error::Category::data, "tfds", fmt::format("cannot read the file: {}", std::strerror(errno)), path.string(),
       "check that it is there and may be read");
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) unreadable(path_);
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    if (!S_ISREG(status.st_mode)) errno = EISDIR;
    const int error = errno;
    close(descriptor);
    errno = error;
    unreadable(path_);
  }
  size_ = static_cast<std::size_t>(status.st_size);
  modified_ = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  if (size_ > 0) {
    void* memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    const int error = errno;
    close(descriptor);
    errno = error;
    if (memory == MAP_FAILED) unreadable(path_);
    data_ = static_cast<const std::byte*>(memory);
  } else {
    close(descriptor);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path)) {
    errno = errno == 0 ? ENOENT : errno;
    unreadable(path);
  }
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace qfw::tfds

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

constexpr std::size_t buffer_size = 1 << 20;

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

NewFile::NewFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(fmt::format("{}.{}.tmp", path_.string(), getpid())) {
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) failed("create");
}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void NewFile::failed(const char* verb) const {
  fail(Error::Category::data, "tfds", fmt::format("cannot {} the file: {}", verb, std::strerror(errno)), path_.string());
}

void NewFile::write(std::span<const std::byte> bytes) {
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (buffer_.size() >= buffer_size) flush();
}

void NewFile::flush() {
  for (std::string_view left = buffer_; !left.empty();) {
    const ssize_t done = ::write(descriptor_, left.data(), left.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) failed("write");
    left.remove_prefix(static_cast<std::size_t>(done));
  }
  buffer_.clear();
}

void NewFile::commit() {
  flush();
  if (fsync(descriptor_) != 0) failed("write");
  close(descriptor_);
  descriptor_ = -1;
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    errno = error;
    failed("name");
  }
}

}  // namespace qfw::tfds

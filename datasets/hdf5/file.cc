#include "file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace qfw::hdf5_dataset {

namespace {

[[noreturn]] void unreadable(const std::filesystem::path& path, int error) {
  fail(Error::Category::data, tag, fmt::format("cannot read the file: {}", std::strerror(error)), path.string(),
       "set dataset.data_dir to an HDF5 file, or the folder of a dataset.h5");
}

}  // namespace

std::filesystem::path with_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home != nullptr && (path == "~" || path.starts_with("~/")) ? std::filesystem::path(home + path.substr(1))
                                                                    : std::filesystem::path(path);
}

std::filesystem::path file_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto extension = path.extension();
  const bool file = !std::filesystem::is_directory(path, error) && (extension == ".h5" || extension == ".hdf5");
  return file ? path : path / "dataset.h5";
}

RawFile::RawFile(const std::filesystem::path& path) : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) unreadable(path, errno);
  struct stat status {};
  const int error = fstat(descriptor_, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EISDIR;
  if (error != 0) {
    close(descriptor_);
    unreadable(path, error);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

RawFile::~RawFile() { close(descriptor_); }

void RawFile::read(std::uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ssize_t got = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      fail(Error::Category::data, tag,
           fmt::format("cannot read {} bytes at offset {}: {}", to.size(), offset,
                       got < 0 ? std::strerror(errno) : "the file ends"),
           path_.string(), "the file is damaged or being written: make it again");
    }
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

}  // namespace qfw::hdf5_dataset

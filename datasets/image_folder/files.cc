#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "qfw/atomic_file.h"

namespace qfw::image_folder {

namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : number_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void failed(const char* verb, const std::filesystem::path& path, int error, const char* remedy) {
  fail(Error::Category::data, tag, fmt::format("cannot {} the file: {}", verb, std::strerror(error)), path.string(), remedy);
}

}  // namespace

std::filesystem::path with_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home != nullptr && (path == "~" || path.starts_with("~/")) ? std::filesystem::path(home + path.substr(1))
                                                                    : std::filesystem::path(path);
}

Bytes read_bytes(const std::filesystem::path& path, std::uint64_t most) {
  constexpr const char* remedy = "check that it is there and may be read, or set dataset.on_corrupt = skip";
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);  // a pipe must not make it wait
  struct stat status {};
  if (file.number() < 0 || fstat(file.number(), &status) != 0) failed("read", path, errno, remedy);
  if (!S_ISREG(status.st_mode)) failed("read", path, S_ISDIR(status.st_mode) ? EISDIR : EINVAL, remedy);
  Bytes bytes{.memory = nullptr, .size = static_cast<std::size_t>(status.st_size)};
  if (bytes.size > most) {
    fail(Error::Category::data, tag, fmt::format("the file has {} bytes, at most {} are taken", bytes.size, most),
         path.string(), "it is hardly what its name says: replace or remove it");
  }
  bytes.memory = std::make_shared_for_overwrite<std::byte[]>(bytes.size);
  for (std::size_t done = 0; done < bytes.size;) {
    const ssize_t got = ::read(file.number(), bytes.memory.get() + done, bytes.size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failed("read", path, errno, remedy);
    if (got == 0) {
      fail(Error::Category::data, tag, fmt::format("the file ended after {} of its {} bytes", done, bytes.size), path.string(),
           "it is being changed while it is read");
    }
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit(AtomicFile::Sync::later);
}

}  // namespace qfw::image_folder

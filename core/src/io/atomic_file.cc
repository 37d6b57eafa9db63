#include "qfw/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view marker = ".qfw-tmp.";
constexpr std::size_t gathered = 1 << 18;

/// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

fs::path temporary_for(const fs::path& target) {
  static std::atomic<unsigned> number{0};
  constexpr std::size_t longest = 200;  // a name has 255 bytes at most
  return folder_of(target) /
         fmt::format(".{}{}{}.{}", target.filename().string().substr(0, longest), marker, getpid(), number++);
}

/// Gives a new temporary name to `make` until it is one that nobody uses: a killed process may have had our number.
template <class Make>
fs::path make_temporary(const fs::path& target, Make make) {
  for (;;) {
    fs::path temporary = temporary_for(target);
    if (uninterrupted([&] { return make(temporary); }) >= 0) return temporary;
    if (errno != EEXIST) return {};
  }
}

/// Not every file system has these: then there is nothing to wait for.
bool is_unsupported(int error) { return error == EINVAL || error == ENOTSUP || error == ENOSYS; }

void sync(const fs::path& folder, int (*call)(int)) {
  const int descriptor = uninterrupted([&] { return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) fail_writing(folder, errno);
  const int error = uninterrupted([&] { return call(descriptor); }) != 0 ? errno : 0;
  close(descriptor);
  if (error != 0 && !is_unsupported(error)) fail_writing(folder, error);
}

const char* remedy_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "make room there, or choose another folder";
    case EFBIG:
      return "raise the limit on the size of files (ulimit -f), or choose a file system that holds larger ones";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that may be written to";
    case ENOENT:
    case ENOTDIR:
      return "make the folder first, or choose another one";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EIO:
      return "check the disk";
    default:
      return "";
  }
}

}  // namespace

void fail_writing(const fs::path& path, int error) {
  fail(Error::Category::data, "file", fmt::format("cannot write {}: {}", path.string(), std::strerror(error)), {},
       remedy_for(error));
}

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  struct stat status {};
  if (stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    fail(Error::Category::data, "file",
         fmt::format("cannot write {}: it is {}, not a file", target_.string(), irregular(status.st_mode)), {},
         "move it away, or choose another name");
  }
  temporary_ = make_temporary(target_, [this](const fs::path& name) {
    return descriptor_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  });
  if (descriptor_ < 0) failed(errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::failed(int error) const { fail_writing(target_, error); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (pending_.size() + bytes.size() <= gathered) {
    pending_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return;
  }
  flush();
  write_at(end_, bytes);
  end_ += bytes.size();
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::flush() {
  const std::string bytes = std::exchange(pending_, {});
  write_at(end_, std::as_bytes(std::span(bytes)));
  end_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!pending_.empty()) flush();
  while (!bytes.empty()) {
    const ssize_t wrote =
        uninterrupted([&] { return pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (wrote <= 0) failed(wrote < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
}

void AtomicFile::read_at(std::uint64_t offset, std::span<std::byte> to) {
  if (!pending_.empty()) flush();
  while (!to.empty()) {
    const ssize_t got = uninterrupted([&] { return pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset)); });
    if (got < 0) failed(errno);
    if (got == 0) return std::fill(to.begin(), to.end(), std::byte{0});
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

void AtomicFile::commit(Sync sync) {
  flush();
  if (sync == Sync::now && uninterrupted([this] { return fsync(descriptor_); }) != 0 && !is_unsupported(errno)) failed(errno);
  // Some file systems report a failed write only here. Linux has closed the file even when it was interrupted.
  if (close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) failed(errno);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) failed(errno);
  temporary_.clear();
  if (sync == Sync::now) sync_folder(folder_of(target_));
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void sync_file_system(const fs::path& folder) { sync(folder, syncfs); }
void sync_folder(const fs::path& folder) { sync(folder, fsync); }

void remove_stale_temporaries(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') && name.find(marker) != std::string::npos) fs::remove(entry->path(), ignored);
  }
}

}  // namespace qfw

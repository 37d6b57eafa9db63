#include "viewer/folder_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/open_fault.h"
#include "qfw/regular_file.h"

namespace qfw::viewer {

namespace {

constexpr std::string_view link_fault = "it is a link, and links are not followed";

template <class Open>
int uninterrupted(Open open) {
  int descriptor = -1;
  do {
    descriptor = open();
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool is_absent(int error) { return error == ENOENT || error == ENOTDIR; }

std::string words_for(const std::filesystem::path& path, int error) {
  if (error == ELOOP) return std::string(link_fault);
  if (error == EACCES || error == EPERM) return "this user may not read it; make it readable";
  return open_fault(path, error);
}

}  // namespace

std::string unlisted(const std::error_code& error) {
  return error == std::errc::permission_denied ? "this user may not read it; make it readable" : error.message();
}

std::string fault_of_mode(mode_t mode) {
  if (S_ISLNK(mode)) return std::string(link_fault);
  const std::string_view kind = irregular(mode);
  return kind.empty() ? std::string() : fmt::format("it is {}, not a file", kind);
}

FolderFile::~FolderFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string FolderFile::read(std::uint64_t offset, std::size_t most) const {
  std::string text(most, '\0');
  std::size_t done = 0;
  while (done < most) {
    const ssize_t got = pread(descriptor_, text.data() + done, most - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw FileProblem(std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

std::string FolderFile::read_whole(std::uint64_t most) const {
  if (mark_.bytes > most) throw FileProblem(fmt::format("it has {} bytes; at most {} are read", mark_.bytes, most));
  return read(0, most);
}

bool Folder::exists() const {
  std::error_code error;
  return std::filesystem::is_directory(path_, error);
}

std::unique_ptr<FolderFile> Folder::open(std::string_view name) const {
  const int folder = uninterrupted([&] { return ::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); });
  if (folder < 0) {
    if (is_absent(errno)) return nullptr;
    throw FileProblem(words_for(path_, errno));
  }
  const std::string text(name);
  const int descriptor =
      uninterrupted([&] { return openat(folder, text.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); });
  const int error = errno;
  close(folder);
  if (descriptor < 0) {
    if (is_absent(error)) return nullptr;
    throw FileProblem(words_for(path_ / text, error));
  }
  struct stat info {};
  const bool known = fstat(descriptor, &info) == 0;
  if (const std::string fault = known ? fault_of_mode(info.st_mode) : "it cannot be looked at"; !fault.empty()) {
    close(descriptor);
    throw FileProblem(fault);
  }
  const FileMark mark{.device = info.st_dev,
                      .inode = info.st_ino,
                      .bytes = static_cast<std::uint64_t>(info.st_size),
                      .modified = info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec};
  return std::unique_ptr<FolderFile>(new FolderFile(descriptor, mark));
}

}  // namespace qfw::viewer

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace qfw::viewer {

/// Why a file of a run is not shown, in the words of the page. Never the end of a report.
class FileProblem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "it is a pipe, not a file" of a file's mode, as lstat() tells it; empty for a regular file.
std::string fault_of_mode(mode_t mode);

/// Why a folder cannot be listed.
std::string unlisted(const std::error_code& error);

/// What tells one content of a file from the next: another where it was replaced or written to.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970

  bool operator==(const FileMark&) const = default;
  double modified_seconds() const { return static_cast<double>(modified) / 1e9; }
};

/// A regular file of a folder, open for reading. Nothing leads out of the folder: a link is not followed; and a pipe or device
/// is not waited for.
class FolderFile {
 public:
  FolderFile(const FolderFile&) = delete;
  FolderFile& operator=(const FolderFile&) = delete;
  ~FolderFile();

  const FileMark& mark() const { return mark_; }
  /// Up to `most` bytes from `offset` on; fewer where the file ends. Throws FileProblem.
  std::string read(std::uint64_t offset, std::size_t most) const;
  /// All of it; throws FileProblem also if it has more than `most` bytes.
  std::string read_whole(std::uint64_t most) const;

 private:
  friend class Folder;
  FolderFile(int descriptor, FileMark mark) : descriptor_(descriptor), mark_(mark) {}

  int descriptor_;
  FileMark mark_;
};

/// A folder from which files are read by name. It may come, go and be replaced between two calls.
class Folder {
 public:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  bool exists() const;
  /// Null if there is no such file; throws FileProblem if there is something that is not read.
  std::unique_ptr<FolderFile> open(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

}  // namespace qfw::viewer

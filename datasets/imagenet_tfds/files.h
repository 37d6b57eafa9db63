#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace qfw::tfds {

/// A regular file, open for reading. Reading copies: of a mapped file that is cut short the process would die.
class File {
 public:
  explicit File(std::filesystem::path path);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }         ///< when it was opened
  std::int64_t modified() const { return modified_; }  ///< nanoseconds
  /// Fills `bytes` from `offset` on. Throws where the file has become too short for that. Thread-safe.
  void read(std::span<std::byte> bytes, std::uint64_t offset) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;
};

/// What tells one state of a file from another without reading it. Times are in nanoseconds.
struct FileState {
  std::uint64_t size = 0, inode = 0;
  std::int64_t modified = 0, changed = 0;
};
FileState state_of(const std::filesystem::path& path);

/// At most 64 MiB.
std::string read_text(const std::filesystem::path& path);

/// What a file that is no TFRecord and no JSON probably is, by its first bytes, and what to do; empty if that cannot be told.
std::string disguise_of(const File& file);

}  // namespace qfw::tfds

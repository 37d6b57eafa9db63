#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// A file that somebody named, open for reading. A folder, pipe, socket or device is refused, never waited for.
/// Failures are Error::Category::data and name the file, the cause and `remedy`. Thread-safe.
class QFW_API RegularFile {
 public:
  explicit RegularFile(std::filesystem::path path, std::string_view remedy = {});
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;
  ~RegularFile();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }                     ///< when it was opened
  std::int64_t modified() const { return modified_; }              ///< nanoseconds since 1970
  void read(std::uint64_t offset, std::span<std::byte> to) const;  ///< all of `to`; throws where the file ends before
  /// Throws if the file has been written to since it was opened: to be asked after reading.
  void check_unchanged() const;
  /// A digest of where the file is kept, its size and times of change: another one where it was written anew.
  std::uint64_t identity() const { return identity_; }
  /// Another name of the very file that is open, whatever has become of path(): for libraries that want a name.
  std::string name_of_open() const;
  std::string text() const;  ///< all there is, to the end; also of a file that does not know its size, as in /proc

 private:
  [[noreturn]] void failed(std::string_view cause) const;
  std::size_t read_some(std::uint64_t offset, std::span<std::byte> to) const;

  std::filesystem::path path_;
  std::string remedy_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;
  std::uint64_t identity_ = 0;
};

QFW_API std::string read_text(const std::filesystem::path& path);

/// "a folder", "a pipe", ...: what is no regular file, for messages; empty for one that is. Throws nothing.
QFW_API std::string_view irregular(std::uint32_t mode);

}  // namespace qfw

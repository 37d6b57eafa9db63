#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qfw/error.h"

namespace qfw {

/// Pictures of three channels of 8 bits in one file: a header, the pictures each with a checksum, a table of where they are.
/// Little-endian, as the machine that made it.
namespace pixel_file {

struct Picture {
  std::int32_t height = 0, width = 0;  ///< 0 x 0: the original could not be read
  std::int64_t label = 0;
  std::span<const std::byte> pixels;
  std::shared_ptr<const std::byte[]> memory{};  ///< of the pixels, where they were read from a file
};

/// Writes picture after picture. A file that was left unfinished, for the same key and count, is gone on with.
class Writer {
 public:
  Writer(const std::filesystem::path& file, std::uint64_t key, std::int64_t count);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  std::int64_t written() const { return static_cast<std::int64_t>(offsets_.size()); }
  void append(const Picture& picture);
  /// All are there: writes the table, and everything to the disk, and gives the file its name.
  void finish(const std::filesystem::path& name);

 private:
  void resume(std::uint64_t key, std::int64_t count);
  void write(const void* data, std::size_t bytes);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t count_ = 0;
  std::uint64_t end_ = 0;
  std::vector<std::uint64_t> offsets_;
};

/// A file that is no longer what was written: it is to be made anew.
struct Damaged : Error {
  using Error::Error;
};

/// A finished file. Read, not mapped: a file that is cut short meanwhile must not end the program. Thread-safe.
class Reader {
 public:
  /// Throws Damaged for a file that is damaged or made for another key or count.
  Reader(const std::filesystem::path& file, std::uint64_t key, std::int64_t count);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  /// None if it is not what was written.
  std::optional<Picture> get(std::int64_t index) const;

 private:
  std::string problem(std::uint64_t key, std::int64_t count);
  bool read(void* to, std::size_t bytes, std::uint64_t offset) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace pixel_file
}  // namespace qfw

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace qfw::tfds {

/// A file, mapped for reading.
class MappedFile {
 public:
  explicit MappedFile(std::filesystem::path path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::int64_t modified() const { return modified_; }  ///< nanoseconds

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t modified_ = 0;
};

std::string read_text(const std::filesystem::path& path);

/// A file that appears under its name when it is complete.
class NewFile {
 public:
  explicit NewFile(std::filesystem::path path);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  void flush();
  [[noreturn]] void failed(const char* verb) const;

  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
  std::string buffer_;
};

}  // namespace qfw::tfds

#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "qfw/error.h"

/// The library is not thread-safe as Debian builds it, and the core uses it for checkpoints: data sets call it only while they
/// are constructed, writers only in finish(). What is read later is read from the file itself.
namespace qfw::hdf5_dataset {

inline constexpr const char* tag = "hdf5";

std::filesystem::path with_home(const std::string& path);  ///< ~ expanded
/// `path` itself if it is no folder and ends with .h5 or .hdf5, else dataset.h5 in it.
std::filesystem::path file_of(const std::filesystem::path& path);

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }
  herr_t close() { return close_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  Close close_;
};

/// Silences the library's own messages as long as it lives.
class Quiet {
 public:
  Quiet() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// A file that many threads read at once, from places of their own.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path);
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> to) const;  ///< throws Error::Category::data

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace qfw::hdf5_dataset

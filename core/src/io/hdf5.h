#pragma once

#include <hdf5.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "qfw/error.h"
#include "qfw/hdf5_storage.h"
#include "qfw/tensor.h"

/// RAII over HDF5's C library for files of tensors. The library's own error output is silenced; its innermost reason becomes
/// part of a qfw::Error that names file and object. The library is not thread-safe as Debian builds it: hold hdf5::Lock around
/// all use.
namespace qfw::hdf5 {

/// Held by whoever uses the library, one at a time in the process.
class Lock {
 public:
  Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock();
  static void renew();  ///< in a child process, which has inherited one that nobody will give back
};

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  /// Closes now, to learn whether everything could be written.
  herr_t close() { return close_(std::exchange(id_, -1)); }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Where an operation takes place, for messages.
struct Place {
  std::filesystem::path file;
  std::string object;
};
[[noreturn]] void failed(std::string_view what, const Place& place, std::string_view remedy = {});

Handle checked(hid_t id, Handle::Close close, std::string_view what, const Place& place);
inline void check(herr_t status, std::string_view what, const Place& place) {
  if (status < 0) failed(what, place);
}

/// A new file. Equal contents give equal bytes: no times, one fixed file format, whose metadata carries checksums.
/// `place` is the name it will get; the first `free_bytes` (a power of two from 512 on) are left to the caller.
Handle create_file(Hdf5Storage& storage, const Place& place, std::uint64_t free_bytes = 0);
/// Closes it; throws if the storage failed.
void finish_file(Handle& file, const Hdf5Storage& storage, const Place& place);
Handle open_file(Hdf5Storage& storage, const Place& place);
Handle open_file(const std::filesystem::path& path);  ///< tells "no such file", "not HDF5" and "damaged" apart

Handle data_type(DType type);  ///< as stored: little-endian; bf16 and f16 are float types of their own
Handle data_space(const Shape& shape);

Handle create_group(hid_t parent, const std::string& name, const Place& place);
/// A data set of this type, with the groups its name asks for.
Handle create_data_set(hid_t parent, const std::string& name, const TensorType& type, const Place& place);
Handle open_data_set(hid_t parent, const std::string& name, const Place& place);
TensorType type_of(hid_t data_set, const Place& place);  ///< throws for a type that is no DType
void write(hid_t data_set, HostView value, const Place& place);
void read(hid_t data_set, HostTensor to, const Place& place);

void write_attribute(hid_t object, const char* name, std::int64_t value, const Place& place);
void write_attribute(hid_t object, const char* name, std::uint64_t value, const Place& place);
void write_attribute(hid_t object, const char* name, double value, const Place& place);
void write_attribute(hid_t object, const char* name, const std::string& value, const Place& place);
void read_attribute(hid_t object, const char* name, std::int64_t& value, const Place& place);
void read_attribute(hid_t object, const char* name, std::uint64_t& value, const Place& place);
void read_attribute(hid_t object, const char* name, double& value, const Place& place);
void read_attribute(hid_t object, const char* name, std::string& value, const Place& place);

}  // namespace qfw::hdf5

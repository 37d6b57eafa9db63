#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "qfw/atomic_file.h"
#include "qfw/export.h"

namespace qfw {

/// Where the bytes of an HDF5 file live, instead of a file of the library's own: HDF5 swallows failed writes and cannot let go
/// of a file that it could not close. Here a failure is kept, the library goes on as if there were none, and check() throws it.
/// It must outlive the HDF5 file. Threads: as HDF5, one at a time.
class QFW_API Hdf5Storage {
 public:
  Hdf5Storage() = default;
  Hdf5Storage(const Hdf5Storage&) = delete;
  Hdf5Storage& operator=(const Hdf5Storage&) = delete;
  virtual ~Hdf5Storage();

  virtual std::uint64_t size() const = 0;
  virtual void read(std::uint64_t offset, std::span<std::byte> to) = 0;  ///< within size()
  virtual void write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual void resize(std::uint64_t size) = 0;

  /// A new file access property list (hid_t) for H5Fcreate or H5Fopen, whose name for the file is then without meaning.
  std::int64_t access_list();
  /// Throws what read, write or resize threw first. To be asked when the file is closed.
  void check() const;
  void failed() noexcept;  ///< keeps the exception being handled, if it is the first

 private:
  std::exception_ptr failure_;
};

/// In memory.
class QFW_API Hdf5Memory final : public Hdf5Storage {
 public:
  explicit Hdf5Memory(std::vector<std::byte> bytes = {}) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> to) override;
  void write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  void resize(std::uint64_t size) override { bytes_.resize(size); }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// In a file that is too large for memory; the owner of `file` commits it after check().
class QFW_API Hdf5InFile final : public Hdf5Storage {
 public:
  explicit Hdf5InFile(AtomicFile& file) : file_(file) {}
  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> to) override;
  void write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  void resize(std::uint64_t size) override;

 private:
  AtomicFile& file_;
  std::uint64_t size_ = 0;
};

}  // namespace qfw

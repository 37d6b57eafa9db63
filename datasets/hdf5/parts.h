#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "qfw/atomic_file.h"
#include "qfw/dataset.h"

/// Finished pieces of a conversion, each a file of its own until the HDF5 file is put together from them.
namespace qfw::hdf5_dataset {

/// What all pictures of a split have in common.
struct Form {
  bool pixels = false;
  Shape shape{};  ///< [H, W, C] of pixels, else empty
  bool operator==(const Form&) const = default;
  std::string str() const { return pixels ? "pixels " + shape.str() : "encoded pictures"; }
};

class PartWriter {
 public:
  explicit PartWriter(const std::filesystem::path& path);

  void add(std::int64_t label, std::string_view name, std::span<const std::byte> bytes);
  void commit(const Form& form);

 private:
  AtomicFile file_;
  std::int64_t count_ = 0;
};

class PartReader {
 public:
  explicit PartReader(const std::filesystem::path& path);

  const Form& form() const { return form_; }
  std::int64_t count() const { return count_; }

  struct Entry {
    std::int64_t label = 0;
    std::string name;
    std::uint64_t bytes = 0;
  };
  /// The next one's head; its bytes must then be read or skipped.
  Entry next();
  void read(std::span<std::byte> to);
  void skip(std::uint64_t bytes);

 private:
  void checked();

  std::filesystem::path path_;
  std::ifstream stream_;
  Form form_;
  std::int64_t count_ = 0;
};

}  // namespace qfw::hdf5_dataset

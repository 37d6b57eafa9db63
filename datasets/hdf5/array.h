#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "layout.h"

namespace qfw::hdf5_dataset {

/// The bytes of a data set, read by any number of threads without the library.
class ByteArray {
 public:
  /// Throws Error::Category::data for a layout that the file cannot hold.
  ByteArray(const RegularFile& file, ArrayLayout layout);
  ByteArray(const ByteArray&) = delete;
  ByteArray& operator=(const ByteArray&) = delete;

  const Shape& shape() const { return layout_.shape; }
  std::uint64_t size() const { return size_; }  ///< in bytes
  /// Thread-safe; [first, first + to.size()) lies within. Of compressed chunks each thread keeps its last one.
  void read(std::uint64_t first, std::span<std::byte> to) const;
  std::uint64_t offset_of(std::uint64_t first) const;  ///< in the file, of the byte or of the compressed chunk it is in

 private:
  const std::vector<std::byte>& inflated(std::size_t chunk) const;

  const RegularFile& file_;
  ArrayLayout layout_;
  std::uint64_t number_;  ///< of this object, distinct in the process
  std::uint64_t size_ = 0;
};

}  // namespace qfw::hdf5_dataset

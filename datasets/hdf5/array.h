#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "file.h"
#include "qfw/tensor.h"

namespace qfw::hdf5_dataset {

/// A data set of bytes (u8), opened once and then read by any number of threads without the library: where its bytes lie in the
/// file is asked for when it is opened. It may be contiguous, or chunked along its first axis with or without the filters
/// shuffle and gzip.
class ByteArray {
 public:
  /// Throws Error::Category::data for any other layout, saying how to store it anew.
  ByteArray(const RawFile& file, hid_t group, const std::string& name, std::string place);
  ByteArray(const ByteArray&) = delete;
  ByteArray& operator=(const ByteArray&) = delete;

  const Shape& shape() const { return shape_; }
  std::uint64_t size() const { return size_; }  ///< in bytes
  /// Thread-safe; [first, first + to.size()) lies within. Of compressed chunks each thread keeps its last one.
  void read(std::uint64_t first, std::span<std::byte> to) const;
  std::uint64_t offset_of(std::uint64_t first) const;  ///< in the file, of the byte or of the compressed chunk it is in

 private:
  struct Chunk {
    std::uint64_t offset = 0, bytes = 0;
    bool plain = true;  ///< stored as it is
  };
  void find_chunks(hid_t data);
  void find_filters(hid_t properties);
  [[noreturn]] void unfit(const std::string& what) const;
  const std::vector<std::byte>& inflated(std::size_t chunk) const;

  const RawFile& file_;
  std::string place_;
  std::uint64_t number_;  ///< of this object, distinct in the process
  Shape shape_;
  std::uint64_t size_ = 0, chunk_bytes_ = 0;
  std::vector<Chunk> chunks_;
  bool gzip_ = false;
  int gzip_place_ = 0;  ///< among the filters
};

}  // namespace qfw::hdf5_dataset

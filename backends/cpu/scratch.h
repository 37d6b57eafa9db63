#pragma once

#include <cstddef>

#include "pages.h"

namespace qfw::cpu {

/// Memory that kernels use while they run, one kernel at a time. It grows only while kernels are made, so that run allocates
/// nothing.
class Scratch {
 public:
  void reserve(std::size_t bytes);
  std::byte* data() const { return pages_.data(); }  ///< aligned to 64 bytes; moves when reserve grows it
  std::size_t size() const { return pages_.bytes(); }

 private:
  Pages pages_;
};

/// Where a kernel's pieces lie in it.
class ScratchLayout {
 public:
  static constexpr std::size_t alignment = 64;

  std::size_t take(std::size_t bytes) {
    const std::size_t at = size_;
    size_ += (bytes + alignment - 1) / alignment * alignment;
    return at;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

}  // namespace qfw::cpu

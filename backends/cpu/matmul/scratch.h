#pragma once

#include <cstddef>

namespace qfw::cpu {

/// Where a kernel's pieces lie in the shared scratch memory.
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

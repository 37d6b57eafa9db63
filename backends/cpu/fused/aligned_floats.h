#pragma once

#include <algorithm>
#include <new>
#include <utility>

namespace qfw::cpu {

/// Zeroed floats on a cache line's boundary.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t count)
      : data_(static_cast<float*>(::operator new(count * sizeof(float), std::align_val_t(64)))) {
    std::fill_n(data_, count, 0.0f);
  }
  AlignedFloats(AlignedFloats&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  AlignedFloats& operator=(AlignedFloats&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~AlignedFloats() { ::operator delete(data_, std::align_val_t(64)); }

  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

}  // namespace qfw::cpu

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "qfw/tensor.h"

/// How reference kernels read and write tensors of any float dtype, and find elements under broadcasting.
namespace qfw::ops {

/// The elements of a tensor of any float dtype as floats.
class Floats {
 public:
  explicit Floats(const HostView& from);
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;

  float operator[](std::int64_t index) const { return data_[index]; }
  const float* data() const { return data_; }
  std::int64_t size() const { return size_; }

 private:
  std::vector<float> copy_;  // unless they are f32
  const float* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// Calls `value(i)` for every element in index order and stores the result, rounded once to the tensor's dtype.
template <class F>
void fill(const HostTensor& to, F value) {
  const auto all = [&]<class T>(std::span<T> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = T(static_cast<float>(value(static_cast<std::int64_t>(i))));
  };
  switch (to.type.dtype) {
    case DType::bf16:
      return all(to.as<BFloat16>());
    case DType::f16:
      return all(to.as<Float16>());
    default:
      return all(to.as<float>());
  }
}

/// For a tensor of shape `narrow` that broadcasts to `wide`: which of its elements stands for element i of `wide`.
class Broadcast {
 public:
  Broadcast(const Shape& narrow, const Shape& wide);

  std::int64_t operator()(std::int64_t i) const {
    switch (kind_) {
      case Kind::same:
        return i;
      case Kind::one:
        return 0;
      case Kind::suffix:
        return i % count_;
      case Kind::general:
        break;
    }
    std::int64_t at = 0;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      at += i % extents_[axis] * strides_[axis];
      i /= extents_[axis];
    }
    return at;
  }

 private:
  enum class Kind { same, one, suffix, general };
  Kind kind_ = Kind::general;
  std::int64_t count_ = 1;
  int rank_ = 0;
  std::array<std::int64_t, Shape::max_rank> extents_{}, strides_{};  // strides are 0 where the narrow shape stretches
};

}  // namespace qfw::ops

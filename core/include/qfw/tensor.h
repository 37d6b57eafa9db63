#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "qfw/export.h"

namespace qfw {

enum class DType : std::uint8_t { f32, bf16, f16, s32, s8, u8 };

QFW_API std::size_t size_of(DType type);
QFW_API const char* name_of(DType type);
constexpr bool is_float(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f16; }

/// The upper half of a float32, rounded half to even; NaN stays NaN.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value);
  explicit operator float() const;
};

/// A binary16 number of IEEE 754, rounded half to even: 11 significant bits, up to 65504; subnormal ones stay.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  explicit Float16(float value);
  explicit operator float() const;
};

/// `value`, rounded to a float dtype. Throws for another one.
QFW_API float rounded(float value, DType to);

template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<Float16> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr DType value = DType::s32;
};
template <>
struct dtype_of<std::int8_t> {
  static constexpr DType value = DType::s8;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr DType value = DType::u8;
};

/// Extents, outermost first; a scalar has rank 0. Images are NHWC, convolution weights HWIO, dense weights IO: the
/// channel (for weights: the output channel) is always the last axis.
class QFW_API Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents);  // throws beyond max_rank

  int rank() const { return rank_; }
  std::int64_t count() const;     ///< number of elements; 1 for a scalar
  std::int64_t channels() const;  ///< extent of the last axis; 1 for a scalar
  std::int64_t operator[](int axis) const { return extents_[axis < 0 ? rank_ + axis : axis]; }

  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }
  bool operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

  std::string str() const;  ///< "[8, 32, 32, 64]"

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

/// The shape two operands meet in: extents match from the last axis on, 1 stretches (numpy's rule). Throws if they do not.
QFW_API Shape broadcast(const Shape& a, const Shape& b);

struct TensorType {
  Shape shape;
  DType dtype = DType::f32;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.count()) * size_of(dtype); }
  std::string str() const { return name_of(dtype) + shape.str(); }  ///< "f32[8, 32, 32, 64]"
  bool operator==(const TensorType&) const = default;
};

/// Throws unless `found` is `asked`: memory is never read as another type than it has.
QFW_API void check_dtype(DType asked, DType found);

/// Host memory someone else owns, dense, in row-major order, valid during the call it is passed to.
struct HostTensor {
  TensorType type;
  std::span<std::byte> bytes;

  template <class T>
  std::span<T> as() const {
    check_dtype(dtype_of<T>::value, type.dtype);
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

/// The same, to read from.
struct HostView {
  TensorType type;
  std::span<const std::byte> bytes;

  HostView() = default;
  HostView(TensorType type, std::span<const std::byte> bytes) : type(type), bytes(bytes) {}
  HostView(const HostTensor& tensor) : type(tensor.type), bytes(tensor.bytes) {}  // implicit: reading what one may write

  template <class T>
  std::span<const T> as() const {
    check_dtype(dtype_of<T>::value, type.dtype);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

}  // namespace qfw

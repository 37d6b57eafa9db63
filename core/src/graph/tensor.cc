#include "qfw/tensor.h"

#include <bit>
#include <cmath>

#include "qfw/error.h"

namespace qfw {

std::size_t size_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::s32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    case DType::s8:
    case DType::u8:
      return 1;
  }
  fail(Error::Category::internal, "tensor", "unknown dtype");
}

const char* name_of(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::s32:
      return "s32";
    case DType::s8:
      return "s8";
    case DType::u8:
      return "u8";
  }
  fail(Error::Category::internal, "tensor", "unknown dtype");
}

BFloat16::BFloat16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    bits = static_cast<std::uint16_t>(word >> 16 | 0x40);
  } else {
    bits = static_cast<std::uint16_t>((word + 0x7fff + (word >> 16 & 1)) >> 16);
  }
}

BFloat16::operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

Float16::Float16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value), sign = word >> 16 & 0x8000, magnitude = word & 0x7fffffff;
  std::uint32_t rounded = 0;
  if (magnitude > 0x7f800000) {
    rounded = 0x7e00;
  } else if (magnitude >= 0x477ff000) {  // 65520 is nearer to 65536 than to 65504
    rounded = 0x7c00;
  } else if (magnitude >= 0x38800000) {  // 2^-14
    rounded = (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  } else {  // a multiple of 2^-24
    rounded = static_cast<std::uint32_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f));
  }
  bits = static_cast<std::uint16_t>(sign | rounded);
}

Float16::operator float() const {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  if (magnitude < 0x400) {
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + (magnitude < 0x7c00 ? 0x38000000 : 0x70000000)));
}

float rounded(float value, DType to) {
  switch (to) {
    case DType::f32:
      return value;
    case DType::bf16:
      return static_cast<float>(BFloat16(value));
    case DType::f16:
      return static_cast<float>(Float16(value));
    default:
      fail(Error::Category::internal, "tensor", std::string("a float was to be rounded to ") + name_of(to));
  }
}

Shape::Shape(std::span<const std::int64_t> extents) {
  if (extents.size() > max_rank) {
    fail(Error::Category::graph, "shape",
         std::to_string(extents.size()) + " axes, at most " + std::to_string(max_rank) + " are possible");
  }
  rank_ = static_cast<int>(extents.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

std::int64_t Shape::count() const {
  std::int64_t count = 1;
  for (const auto extent : *this) count *= extent;
  return count;
}

std::int64_t Shape::channels() const { return rank_ == 0 ? 1 : extents_[rank_ - 1]; }

std::string Shape::str() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) text += (axis > 0 ? ", " : "") + std::to_string(extents_[axis]);
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> extents{};
  for (int back = 1; back <= rank; ++back) {
    const std::int64_t in_a = back <= a.rank() ? a[a.rank() - back] : 1, in_b = back <= b.rank() ? b[b.rank() - back] : 1;
    if (in_a != in_b && in_a != 1 && in_b != 1) {
      fail(Error::Category::graph, "broadcast",
           "shapes " + a.str() + " and " + b.str() + " do not match from the last axis on");
    }
    extents[rank - back] = in_a == 1 ? in_b : in_a;
  }
  return Shape(std::span<const std::int64_t>(extents.data(), rank));
}

void check_dtype(DType asked, DType found) {
  if (asked != found) {
    fail(Error::Category::internal, "tensor", std::string("memory of ") + name_of(found) + " was read as " + name_of(asked));
  }
}

}  // namespace qfw

#pragma once

#include "ops/access.h"
#include "ops/support.h"

/// Geometry shared by conv2d and its two gradients.
namespace qfw::ops {

struct ConvShape {
  std::int64_t images, src_height, src_width, src_channels;
  std::int64_t kernel_height, kernel_width, group_in, group_out;  ///< channels of one group
  std::int64_t dst_height, dst_width, dst_channels;
  std::int64_t groups;
  Extent stride, low;  ///< low: padding before the first row and column

  Shape dst() const { return {images, dst_height, dst_width, dst_channels}; }
  /// How many products are added up to the gradient of one element of src, at most: a stride leaves taps out.
  std::int64_t gradients_of_src() const {
    return (kernel_height + stride[0] - 1) / stride[0] * ((kernel_width + stride[1] - 1) / stride[1]) * group_out;
  }

  /// Calls `f(src_pixel, kernel_pixel)` for every kernel position that meets the image; the numbers count pixels, not elements.
  template <class F>
  void for_each_tap_of(std::int64_t dst_pixel, F f) const {
    const std::int64_t x = dst_pixel % dst_width, y = dst_pixel / dst_width % dst_height,
                       image = dst_pixel / (dst_width * dst_height);
    for (std::int64_t i = 0; i < kernel_height; ++i) {
      const std::int64_t row = y * stride[0] - low[0] + i;
      if (row < 0 || row >= src_height) continue;
      for (std::int64_t j = 0; j < kernel_width; ++j) {
        const std::int64_t column = x * stride[1] - low[1] + j;
        if (column < 0 || column >= src_width) continue;
        f((image * src_height + row) * src_width + column, i * kernel_width + j);
      }
    }
  }
};

/// Checks shapes and attributes against each other; throws naming `op`.
ConvShape conv_shape(Op op, const Shape& src, const Shape& weights, const Conv2d& attributes);

/// What a matmul of these operands gives: s32 of (u8|s8) x s8, the common dtype of two f32 or two bf16; throws for the rest.
/// `products` is how many are summed for one output: exact s32 sums are promised only where none can overflow.
DType matmul_dtype(Op op, const TensorType& src, const TensorType& weights, std::int64_t products);

/// Calls `f(src, weights, Sum{})` with the operands' elements: as floats, to be summed in double, or as the integers they are.
template <class F>
void with_operands(const HostView& src, const HostView& weights, F f) {
  switch (src.type.dtype) {
    case DType::u8:
      return f(src.as<std::uint8_t>().data(), weights.as<std::int8_t>().data(), std::int32_t{});
    case DType::s8:
      return f(src.as<std::int8_t>().data(), weights.as<std::int8_t>().data(), std::int32_t{});
    default: {
      const Floats a(src), b(weights);
      return f(a.data(), b.data(), double{});
    }
  }
}

/// Stores sums as s32 or rounded once to the float dtype.
template <class Sum>
void store_sums(const HostTensor& to, const std::vector<Sum>& sums, std::int64_t first) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    switch (to.type.dtype) {
      case DType::s32:
        to.as<std::int32_t>()[first + i] = static_cast<std::int32_t>(sums[i]);
        break;
      case DType::bf16:
        to.as<BFloat16>()[first + i] = BFloat16(static_cast<float>(sums[i]));
        break;
      case DType::f16:
        to.as<Float16>()[first + i] = Float16(static_cast<float>(sums[i]));
        break;
      default:
        to.as<float>()[first + i] = static_cast<float>(sums[i]);
        break;
    }
  }
}

}  // namespace qfw::ops

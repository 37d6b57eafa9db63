#include "ops/convolution.h"

#include <limits>

namespace qfw::ops {

namespace {

std::int64_t extent_of(Op op, int axis, std::int64_t src, std::int64_t kernel, const Conv2d& conv) {
  const std::int64_t padded = src + conv.padding.low[axis] + conv.padding.high[axis];
  if (kernel < 1 || padded < kernel) {
    refuse(op,
           std::string(axis == 0 ? "height " : "width ") + std::to_string(src) + ", padded to " + std::to_string(padded) +
               ", is less than the kernel's " + std::to_string(kernel),
           "pad more or choose a smaller kernel");
  }
  return (padded - kernel) / conv.stride[axis] + 1;
}

}  // namespace

ConvShape conv_shape(Op op, const Shape& src, const Shape& weights, const Conv2d& conv) {
  if (src.rank() != 4 || weights.rank() != 4) {
    refuse(op, "src is " + src.str() + ", weights are " + weights.str(), "they must be [N, H, W, C] and [h, w, I, O]");
  }
  for (int axis = 0; axis < 2; ++axis) {
    if (conv.stride[axis] < 1 || conv.padding.low[axis] < 0 || conv.padding.high[axis] < 0) {
      refuse(op,
             "stride " + std::to_string(conv.stride[axis]) + ", padding " + std::to_string(conv.padding.low[axis]) + " and " +
                 std::to_string(conv.padding.high[axis]),
             "a stride is at least 1, a padding at least 0");
    }
  }
  if (conv.groups < 1 || src[3] % conv.groups != 0 || weights[3] % conv.groups != 0) {
    refuse(op,
           std::to_string(conv.groups) + " groups of " + std::to_string(src[3]) + " src channels and " +
               std::to_string(weights[3]) + " outputs",
           "groups must divide both");
  }
  if (src[3] / conv.groups != weights[2]) {
    const std::string grouped = conv.groups == 1 ? "" : " in " + std::to_string(conv.groups) + " groups";
    refuse(op,
           "src has " + std::to_string(src[3]) + " channels" + grouped + ", weights expect " +
               std::to_string(weights[2] * conv.groups),
           "src is " + src.str() + ", weights are " + weights.str());
  }
  return {.images = src[0],
          .src_height = src[1],
          .src_width = src[2],
          .src_channels = src[3],
          .kernel_height = weights[0],
          .kernel_width = weights[1],
          .group_in = weights[2],
          .group_out = weights[3] / conv.groups,
          .dst_height = extent_of(op, 0, src[1], weights[0], conv),
          .dst_width = extent_of(op, 1, src[2], weights[1], conv),
          .dst_channels = weights[3],
          .groups = conv.groups,
          .stride = conv.stride,
          .low = conv.padding.low};
}

DType matmul_dtype(Op op, const TensorType& src, const TensorType& weights, std::int64_t products) {
  if (is_float(src.dtype) && src.dtype == weights.dtype) return src.dtype;
  if ((src.dtype == DType::u8 || src.dtype == DType::s8) && weights.dtype == DType::s8) {
    if (products > std::numeric_limits<std::int32_t>::max() / (255 * 128)) {
      refuse(op, std::to_string(products) + " products of 8-bit integers may overflow s32",
             "use floats for a layer this large");
    }
    return DType::s32;
  }
  refuse(op, "src is " + src.str() + ", weights are " + weights.str(),
         "it takes two floats of one dtype, or (u8|s8) with s8; cast one of them");
}

}  // namespace qfw::ops

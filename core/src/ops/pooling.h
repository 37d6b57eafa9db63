#pragma once

#include <cmath>

#include "ops/support.h"

namespace qfw::ops {

struct PoolShape {
  std::int64_t images, height, width, channels, dst_height, dst_width;
  Pool pool;

  Shape dst() const { return {images, dst_height, dst_width, channels}; }

  /// The position in `x` of the first maximum, in row-major order, of the window behind an output; a NaN counts as the largest.
  template <class Elements>
  std::int64_t first_maximum(const Elements& x, std::int64_t image, std::int64_t row, std::int64_t column,
                             std::int64_t channel) const {
    std::int64_t best = -1;
    for (std::int64_t i = 0; i < pool.window[0]; ++i) {
      const std::int64_t y = row * pool.stride[0] - pool.padding.low[0] + i;
      if (y < 0 || y >= height) continue;
      for (std::int64_t j = 0; j < pool.window[1]; ++j) {
        const std::int64_t z = column * pool.stride[1] - pool.padding.low[1] + j;
        if (z < 0 || z >= width) continue;
        const std::int64_t at = ((image * height + y) * width + z) * channels + channel;
        if (best < 0 || x[at] > x[best] || (std::isnan(x[at]) && !std::isnan(x[best]))) best = at;
      }
    }
    return best;
  }

  /// Calls `f(output element, position of its maximum)` in order.
  template <class Elements, class F>
  void for_each(const Elements& x, F f) const {
    std::int64_t element = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      for (std::int64_t row = 0; row < dst_height; ++row) {
        for (std::int64_t column = 0; column < dst_width; ++column) {
          for (std::int64_t channel = 0; channel < channels; ++channel)
            f(element++, first_maximum(x, image, row, column, channel));
        }
      }
    }
  }
};

PoolShape pool_shape(Op op, const Shape& x, const Pool& pool);

}  // namespace qfw::ops

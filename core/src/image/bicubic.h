#pragma once

#include <cstdint>
#include <vector>

#include "qfw/image.h"

namespace qfw::image {

/// Of one output position along an axis: four neighbouring inputs and their weights, which sum to 1.
struct Taps {
  std::int32_t index[4];
  float weight[4];
};

/// Keys' kernel with a = -0.5, half-pixel centres, weights of inputs beyond the border 0 and the others renormalised. As in the
/// original, the kernel is a table of 1024 steps.
std::vector<Taps> bicubic_taps(int from, int to);
std::vector<Taps> bicubic_taps(int from, int to, int first, int count);  ///< of `count` outputs from `first` on

/// The two passes for three channels. `columns` are already mirrored where that is asked for; `row` has room for
/// 3 * from.width + 4 floats, `line` for 3 * columns.size() + 4.
void resize_rgb(const Pixels& from, const std::vector<Taps>& rows, const std::vector<Taps>& columns, const Normalize& normalize,
                float* row, float* line, float* to);

}  // namespace qfw::image

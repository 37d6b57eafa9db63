#pragma once

#include <cstdint>

#include "qfw/nn.h"

namespace qfw::cpu {

struct PoolGeometry {
  std::int64_t n, h, w, c, oh, ow;
  Pool pool;
};

/// One row of results. Where `winners` is given it receives, for each, which of its window's elements was the first maximum;
/// a NaN counts as the largest. dst may be null then. Floats are f32 or bf16.
void pool_row(const PoolGeometry& g, bool bf16, const void* x, std::int64_t image, std::int64_t row, void* dst,
              std::uint16_t* winners);
/// One row of x's gradient, from the winners of all results.
void pool_grad_row(const PoolGeometry& g, bool bf16, const void* grad, const std::uint16_t* winners, std::int64_t image,
                   std::int64_t row, void* dst);

}  // namespace qfw::cpu

#pragma once

#include <cstddef>

#include "matmul/geometry.h"

/// The gradient of a convolution's weights where groups have few channels: vectors hold output channels of several groups, and
/// for each element of a kernel one vector of src, spread over them, is multiplied by one of grad. Sums of a row of results
/// stay in registers.
namespace qfw::cpu {

struct DirectGradient {
  Geometry geometry;
  bool bf16 = false;  ///< src and grad, else f32
  const void *src = nullptr, *grad = nullptr;
};
/// Of one thread's turn: rows of results, counted through all images.
struct DirectGradientRows {
  std::int64_t row = 0, row_end = 0;
  float* sums = nullptr;        ///< direct_gradient_sums() of them, overwritten[vector of output channels][depth][lane]
  std::byte* buffer = nullptr;  ///< direct_gradient_buffer_bytes() of the thread's own
};

std::int64_t direct_gradient_sums(const Geometry& g);
std::size_t direct_gradient_buffer_bytes(const DirectGradient& product);
void multiply(const DirectGradient& product, const DirectGradientRows& rows);
/// Adds up what `parts` turns have summed, one after the other in memory: row `k` of the gradient, [depth][geometry.o].
void collect_direct_gradient(const Geometry& g, const float* sums, std::int64_t parts, std::int64_t k, float* dst);

}  // namespace qfw::cpu

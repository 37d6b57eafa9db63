#pragma once

#include <cstddef>

#include "matmul/geometry.h"

/// The gradient of a convolution's weights, dst[depth][o] = sum over rows of src[row][depth] * grad[row][o], from NHWC memory.
namespace qfw::cpu {

inline constexpr std::int64_t gradient_tile = 6;  ///< blocks of the depth are whole tiles of so many elements, or of a half

struct GradientProduct {
  Geometry geometry;
  bool bf16 = false;   ///< src and grad, else f32
  bool pairs = false;  ///< of bf16: by the processor's instruction for them (bf16_pairs.h)
  const void *src = nullptr, *grad = nullptr;
};
/// Of one thread's turn: a part of the sum or of the depth, of one group. Overwrites dst[k .. k_end) x the group's channels.
struct GradientBlock {
  std::int64_t group = 0, row = 0, row_end = 0, k = 0, k_end = 0;
  float* dst = nullptr;         ///< [depth][geometry.o]
  std::byte* buffer = nullptr;  ///< gradient_buffer_bytes() of the thread's own
};

const char* gradient_target();  ///< instruction set, for people
std::size_t gradient_buffer_bytes(const Geometry& g);
void multiply(const GradientProduct& product, const GradientBlock& block);

}  // namespace qfw::cpu

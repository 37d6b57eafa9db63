#pragma once

#include <cstdint>

namespace qfw::cpu {

/// Adds to dst what threads summed apart: `parts` arrays of `count`, one after the other.
inline void add_partial_sums(const float* sums, std::int64_t parts, std::int64_t count, float* dst, int threads) {
  if (parts == 0) return;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < count; ++i) {
    float sum = dst[i];
    for (std::int64_t part = 0; part < parts; ++part) sum += sums[part * count + i];
    dst[i] = sum;
  }
}

}  // namespace qfw::cpu

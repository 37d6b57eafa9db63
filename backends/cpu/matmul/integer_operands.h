#pragma once

#include <cstdint>

#include "matmul/geometry.h"

namespace qfw::cpu {

/// Of one run of our own integer products.
struct IntegerOperands {
  Geometry geometry;
  const std::uint8_t* src = nullptr;  ///< s8 if src_signed
  bool src_signed = false;
  int offset = 0;                              ///< added to src to make it u8, in loops of 8 bits
  std::int64_t widen_after = 0;                ///< of a loop that adds up in 16 bits: steps whose sum these hold
  const std::int32_t* compensation = nullptr;  ///< what offset adds to each (padded) output channel
  std::int32_t* dst = nullptr;
  bool stream = false;  ///< dst will not be read from the caches
};

}  // namespace qfw::cpu

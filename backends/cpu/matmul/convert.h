#pragma once

#include <cstdint>

#include "qfw/tensor.h"

namespace qfw::cpu {

void widen(const BFloat16* from, std::int64_t count, float* to, int threads);
void narrow(const float* from, std::int64_t count, BFloat16* to, int threads);  ///< half to even; NaN stays NaN

}  // namespace qfw::cpu

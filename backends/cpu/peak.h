#pragma once

#include <cstdint>

#include "qfw/backend.h"

namespace qfw::cpu {

/// What so many threads multiply a second at the very best, together: loops that stay in registers, on threads of their own,
/// for some 40 ms. Each thread counts its best round, so that a neighbour that comes and goes changes little. Integers and
/// bf16 are not known where the processor has tiles for them (AMX) that the system does not let this process use, and integers
/// off x86-64.
Backend::Peak measure_peak(int threads);

namespace peak {

/// Repeats independent multiplications with additions; what comes out goes to `result`, so that nothing is left out.
struct Loop {
  void (*run)(std::int64_t repetitions, float* result) = nullptr;
  double multiplications = 0;  ///< in one repetition
};

Loop floats();    ///< f32, of the widest vectors there are
Loop bfloats();   ///< pairs of bf16 into f32; floats() where the processor has no instruction for it
Loop integers();  ///< u8 x s8 into 32-bit sums; without a function where that is not known

}  // namespace peak

}  // namespace qfw::cpu

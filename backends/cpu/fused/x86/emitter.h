#pragma once

#include <cstddef>

#include "pass.h"
#include "vectors.h"

namespace qfw::cpu::x86 {

/// Where functions begin, in bytes from the first.
struct Entries {
  std::size_t pivots = 0;  ///< 0: there is none
};

/// Writes the code of a pass to `vectors`, and nothing else: a function (`Code`) for the whole, one that writes pivots alone,
/// and their literals. Throws OutOfRegisters where the pass has more values alive at once than the instruction set has
/// registers.
Entries emit(const Passes& passes, Vectors& vectors);

}  // namespace qfw::cpu::x86

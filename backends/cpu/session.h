#pragma once

#include "matmul/kernels.h"
#include "pages.h"
#include "variables.h"

namespace qfw::cpu {

/// What the executables of one backend share. Not thread-safe: their calls do not overlap.
struct Session {
  int threads = 1;
  VariableStore variables;
  Pages arena;  ///< moves when a larger program is compiled
  KernelContext matmuls;

  void reserve_arena(std::size_t bytes) {
    if (bytes <= arena.bytes()) return;
    arena = Pages();  // both at once might not fit
    arena = Pages(bytes);
  }
};

}  // namespace qfw::cpu

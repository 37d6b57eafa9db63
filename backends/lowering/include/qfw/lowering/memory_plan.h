#pragma once

#include <cstddef>
#include <span>

#include "qfw/lowering/target.h"

namespace qfw::lowering {

/// One tensor in the arena: from the step that writes it to the last that reads it, both inclusive.
struct Block {
  std::size_t bytes = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  ///< made by the plan
};

/// Gives each block an offset such that blocks whose lives overlap do not. Returns the size of the arena. Larger blocks are
/// placed first, each into the smallest gap that holds it (greedy by size, Pisarchyk and Lee, arXiv 2001.03288).
std::size_t plan_memory(std::span<Block> blocks, const Target& target);

}  // namespace qfw::lowering

#include "qfw/lowering/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace qfw::lowering {

std::size_t plan_memory(std::span<Block> blocks, const Target& target) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });

  std::size_t end = 0;
  std::vector<const Block*> placed;  // by offset
  placed.reserve(blocks.size());
  for (const std::size_t at : order) {
    Block& block = blocks[at];
    const std::size_t bytes = target.aligned(block.bytes);
    std::size_t free_from = 0, best_gap = std::numeric_limits<std::size_t>::max(), best = 0;
    for (const Block* other : placed) {
      if (other->last < block.first || block.last < other->first) continue;
      if (other->offset > free_from) {
        const std::size_t gap = other->offset - free_from;
        if (gap >= bytes && gap < best_gap) {
          best_gap = gap;
          best = free_from;
        }
      }
      free_from = std::max(free_from, other->offset + target.aligned(other->bytes));
    }
    block.offset = best_gap == std::numeric_limits<std::size_t>::max() ? free_from : best;
    end = std::max(end, block.offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                   [](const Block* a, const Block* b) { return a->offset < b->offset; }),
                  &block);
  }
  return end;
}

}  // namespace qfw::lowering

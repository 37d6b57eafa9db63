#include "qfw/lowering/memory_plan.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace qfw::lowering {
namespace {

const Target target{.alignment = 64};

void expect_valid(const std::vector<Block>& blocks, std::size_t size) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].offset % target.alignment, 0u);
    EXPECT_LE(blocks[i].offset + blocks[i].bytes, size);
    for (std::size_t j = 0; j < i; ++j) {
      const bool together = blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
      const bool overlap =
          blocks[i].offset < blocks[j].offset + blocks[j].bytes && blocks[j].offset < blocks[i].offset + blocks[i].bytes;
      EXPECT_FALSE(together && overlap) << i << " and " << j;
    }
  }
}

TEST(MemoryPlan, NothingNeedsNothing) { EXPECT_EQ(plan_memory({}, target), 0u); }

TEST(MemoryPlan, AChainTakesTwoBuffers) {
  std::vector<Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back({.bytes = 1000, .first = i, .last = i + 1});
  const std::size_t size = plan_memory(blocks, target);
  expect_valid(blocks, size);
  EXPECT_EQ(size, 2 * target.aligned(1000));
}

TEST(MemoryPlan, TakesTheSmallestGapThatHolds) {
  // Two gaps once the short-lived ones are gone: of 4096 and of 1024 bytes.
  std::vector<Block> blocks{{.bytes = 8192, .first = 0, .last = 9}, {.bytes = 4096, .first = 0, .last = 3},
                            {.bytes = 2048, .first = 0, .last = 9}, {.bytes = 1024, .first = 0, .last = 3},
                            {.bytes = 512, .first = 0, .last = 9},  {.bytes = 500, .first = 5, .last = 9}};
  const std::size_t size = plan_memory(blocks, target);
  expect_valid(blocks, size);
  EXPECT_EQ(blocks[5].offset, blocks[3].offset);
}

TEST(MemoryPlan, RandomLivesNeverCollideAndReuseMemory) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<Block> blocks;
    std::size_t sum = 0;
    for (int i = 0; i < 200; ++i) {
      const int first = static_cast<int>(random() % 100);
      blocks.push_back({.bytes = random() % 5000, .first = first, .last = first + static_cast<int>(random() % 12)});
      sum += blocks.back().bytes;
    }
    const std::size_t size = plan_memory(blocks, target);
    expect_valid(blocks, size);
    EXPECT_LT(size, sum / 3);
  }
}

}  // namespace
}  // namespace qfw::lowering

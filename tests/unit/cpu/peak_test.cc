#include "peak.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend.h"

namespace qfw::cpu {
namespace {

TEST(Peak, LoopsDoAsMuchAsTheySay) {
  for (const peak::Loop& loop : {peak::floats(), peak::bfloats(), peak::integers()}) {
    if (loop.run == nullptr) continue;
    EXPECT_GE(loop.multiplications, 12);
    float one = 0, many = 0;
    loop.run(1, &one);
    loop.run(100, &many);
    EXPECT_NE(one, 0);
    EXPECT_NE(many, one) << "no repetition is left out";
  }
}

/// u8 3 times s8 -1, a sum of four each time, and as many as the loop says: the same in every way of doing it.
TEST(Peak, IntegersAreMultipliedAndAdded) {
  const peak::Loop loop = peak::integers();
  if (loop.run == nullptr) GTEST_SKIP() << "not known on this processor";
  float none = 0, once = 0, twice = 0;
  loop.run(0, &none);
  loop.run(1, &once);
  loop.run(2, &twice);
  EXPECT_EQ(once - none, -3 * loop.multiplications);
  EXPECT_EQ(twice - none, -6 * loop.multiplications);
}

TEST(Peak, IsMeasuredOnce) {
  const CpuBackend backend({.threads = 1});
  const Backend::Peak first = backend.peak(), second = backend.peak();
  EXPECT_GT(first.f32, 1e8);
  EXPECT_TRUE(std::isfinite(first.f32));
  EXPECT_EQ(first.f32, second.f32);
  EXPECT_EQ(first.bf16, second.bf16);
  EXPECT_EQ(first.integer, second.integer);
  EXPECT_EQ(first.integer > 0, peak::integers().run != nullptr);
}

}  // namespace
}  // namespace qfw::cpu

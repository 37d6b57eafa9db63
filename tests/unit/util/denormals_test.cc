#include "qfw/denormals.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace qfw {
namespace {

float half_of_the_least_normal() {
  const volatile float least = std::numeric_limits<float>::min();
  return least * 0.5f;
}
float twice_a_subnormal() {
  const volatile float least = std::numeric_limits<float>::denorm_min();
  return least * 0x1p100f;
}

TEST(FlushDenormals, MakesResultsAndOperandsZeroWhileItLives) {
#if !defined(__SSE__) && !defined(__aarch64__)
  GTEST_SKIP() << "this processor cannot flush subnormal numbers";
#endif
  ASSERT_NE(half_of_the_least_normal(), 0);
  {
    const FlushDenormals outer;
    EXPECT_EQ(half_of_the_least_normal(), 0);
    EXPECT_EQ(twice_a_subnormal(), 0);
    {
      const FlushDenormals inner;
      EXPECT_EQ(half_of_the_least_normal(), 0);
    }
    EXPECT_EQ(half_of_the_least_normal(), 0);
  }
  EXPECT_NE(half_of_the_least_normal(), 0);
  EXPECT_NE(twice_a_subnormal(), 0);
}

TEST(FlushDenormals, IsTheThreadsOwn) {
#if !defined(__SSE__) && !defined(__aarch64__)
  GTEST_SKIP() << "this processor cannot flush subnormal numbers";
#endif
  float found = 1;
  std::thread([&] {
    FlushDenormals::on_this_thread();
    found = half_of_the_least_normal();
  }).join();
  EXPECT_EQ(found, 0);
  EXPECT_NE(half_of_the_least_normal(), 0);
}

}  // namespace
}  // namespace qfw

#include "util/counted.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace qfw {
namespace {

TEST(Counted, OneIsSingularAndAllElseIsNot) {
  EXPECT_EQ(counted(1, "step"), "1 step");
  EXPECT_EQ(counted(std::uint64_t{0}, "step"), "0 steps");
  EXPECT_EQ(counted(std::int64_t{-1}, "step"), "-1 steps");
  EXPECT_EQ(counted(1, "class", "classes"), "1 class");
  EXPECT_EQ(counted(2, "class", "classes"), "2 classes");
}

}  // namespace
}  // namespace qfw

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "qfw/error.h"
#include "qfw/tensor.h"

namespace qfw {
namespace {

Float16 half(int bits) {
  Float16 made;
  made.bits = static_cast<std::uint16_t>(bits);
  return made;
}
float value(int bits) { return static_cast<float>(half(bits)); }
int bits(float x) { return Float16(x).bits; }

TEST(Float16, HasTheValuesOfTheStandard) {
  EXPECT_EQ(value(0x0001), 0x1p-24f);
  EXPECT_EQ(value(0x03ff), 1023 * 0x1p-24f);
  EXPECT_EQ(value(0x0400), 0x1p-14f);
  EXPECT_EQ(value(0x3555), 0.333251953125f);
  EXPECT_EQ(value(0x3c00), 1);
  EXPECT_EQ(value(0x7bff), 65504);
  EXPECT_EQ(value(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(value(0x8000)));
  EXPECT_TRUE(std::isnan(value(0x7c01)));
}

/// Between each number and the next one up.
TEST(Float16, RoundsToTheNearestHalvesToEven) {
  for (int low = 0; low < 0x7bff; ++low) {
    const float a = value(low), b = value(low + 1), middle = (a + b) / 2;  // exact: two more bits than f16 has
    ASSERT_LT(a, b);
    ASSERT_EQ(bits(a), low);
    ASSERT_EQ(bits(-a), low | 0x8000);
    ASSERT_EQ(bits(middle), low % 2 == 0 ? low : low + 1) << middle;
    ASSERT_EQ(bits(std::nextafter(middle, 0.0f)), low) << middle;
    ASSERT_EQ(bits(std::nextafter(middle, b)), low + 1) << middle;
  }
  EXPECT_EQ(bits(65519.99f), 0x7bff);
  EXPECT_EQ(bits(65520), 0x7c00);
  EXPECT_EQ(bits(-1e30f), 0xfc00);
  EXPECT_EQ(bits(0x1p-25f), 0) << "half of the least, to even";
  EXPECT_EQ(bits(std::nextafter(0x1p-25f, 1.0f)), 1);
  EXPECT_EQ(bits(-0x1p-30f), 0x8000);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(std::nanf("")))));
}

TEST(Rounded, IsToADtypeOfFloats) {
  EXPECT_EQ(rounded(0.1f, DType::f32), 0.1f);
  EXPECT_EQ(rounded(0.1f, DType::bf16), 0.10009765625f);
  EXPECT_EQ(rounded(0.1f, DType::f16), 0.0999755859375f);
  EXPECT_THROW(rounded(1, DType::s8), Error);
}

}  // namespace
}  // namespace qfw

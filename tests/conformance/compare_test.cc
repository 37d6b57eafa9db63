#include "conformance/compare.h"

#include <gmock/gmock.h>

namespace qfw::conformance {
namespace {

Tensor of(double value) {
  Tensor tensor({{3}, DType::f32});
  for (int i = 0; i < 3; ++i) tensor.set(i, i == 1 ? value : 1);
  return tensor;
}

TEST(Comparison, SeesSubnormalResults) {
  const auto found = [](double a, double b) { return difference(of(a), of(b), {1, 1}, false); };
  EXPECT_THAT(found(1e-39, 0), testing::HasSubstr("a subnormal number where 0 is expected"));
  EXPECT_THAT(found(-1e-39, 1e-39), testing::HasSubstr("subnormal"));
  EXPECT_EQ(found(1e-39, 1e-39), "");  // passed on
  EXPECT_EQ(found(0, 1e-39), "");
  EXPECT_EQ(found(0x1p-126, 0x1p-126), "");
}

}  // namespace
}  // namespace qfw::conformance

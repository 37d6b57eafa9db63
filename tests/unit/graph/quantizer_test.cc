#include "qfw/quantizer.h"

#include <gmock/gmock.h>

#include "qfw/ops.h"
#include "support/evaluate.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;

/// A scale per channel of src, 1, 2, 3, ..., taken out of it; fetched as `scale`, which broadcasts to the weights.
std::vector<float> taken(const MatmulSite& site, Shape scale_shape, Shape* shape) {
  GraphBuilder g({.training = false});
  const std::int64_t channels = site.src.shape.channels();
  Operand src{g.input("codes", site.src), g.input("scale", {scale_shape, DType::f32}), Grid{0, 3}};
  const Value scale = Quantizer::take_src_scale(site, src);
  EXPECT_TRUE(src.scale.is_number());
  EXPECT_EQ(src.scale.number(), 1);
  EXPECT_TRUE(src.grid.has_value());
  *shape = scale.shape();
  g.fetch("scale", scale);
  g.fetch("weights", broadcast_to(scale, site.weights.shape));
  std::vector<float> numbers(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i + 1);
  const std::vector<float> codes(static_cast<std::size_t>(site.src.shape.count()));
  return Evaluator().run(g, {}, {{"codes", codes}, {"scale", numbers}}).at("scale");
}

TEST(TakeSrcScale, IsOnePerInputOfADenseLayer) {
  Shape shape;
  const MatmulSite site{"dense", Dense{}, {{4, 3}, DType::f32}, {{3, 2}, DType::f32}};
  EXPECT_THAT(taken(site, {3}, &shape), ElementsAre(1, 2, 3));
  EXPECT_EQ(shape, (Shape{3, 1}));
}

TEST(TakeSrcScale, IsOnePerInputChannelOfAConvolution) {
  Shape shape;
  const MatmulSite site{"conv", Conv2d{}, {{1, 4, 4, 3}, DType::f32}, {{3, 3, 3, 2}, DType::f32}};
  EXPECT_THAT(taken(site, {1, 1, 1, 3}, &shape), ElementsAre(1, 2, 3));
  EXPECT_EQ(shape, (Shape{1, 1, 3, 1}));
}

/// Two groups of two inputs and three outputs each: outputs 0 to 2 read channels 0 and 1, the others 2 and 3.
TEST(TakeSrcScale, IsArrangedByGroup) {
  Shape shape;
  const MatmulSite site{"conv", Conv2d{.groups = 2}, {{1, 4, 4, 4}, DType::f32}, {{1, 1, 2, 6}, DType::f32}};
  EXPECT_THAT(taken(site, {4}, &shape), ElementsAre(1, 1, 1, 3, 3, 3, 2, 2, 2, 4, 4, 4));
  EXPECT_EQ(shape, (Shape{1, 1, 2, 6}));
}

/// A convolution of each channel with its own weights.
TEST(TakeSrcScale, IsOnePerOutputWhereEachChannelIsAGroup) {
  Shape shape;
  const MatmulSite site{"conv", Conv2d{.groups = 3}, {{1, 4, 4, 3}, DType::f32}, {{3, 3, 1, 3}, DType::f32}};
  EXPECT_THAT(taken(site, {3}, &shape), ElementsAre(1, 2, 3));
  EXPECT_EQ(shape, (Shape{1, 1, 1, 3}));
}

}  // namespace
}  // namespace qfw::testing

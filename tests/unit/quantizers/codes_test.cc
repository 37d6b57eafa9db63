#include "codes.h"

#include <gtest/gtest.h>

#include "support/evaluate.h"
#include "support/tie_mask.h"

namespace qfw::aqt {
namespace {

using testing::Evaluator;

TEST(Codes, scales_of_numbers_round_as_those_of_tensors) {
  for (const float bound : {0.f, 0.3f, 1.f, 6.f, 1e-7f}) {
    const Levels levels(4, true, false, Ties::half);
    GraphBuilder g({.training = false});
    g.fetch("scale", levels.scale(g.input("bound", {{}, DType::f32})));
    const float expected = Evaluator().run(g, {}, {{"bound", {bound}}}).at("scale")[0];
    EXPECT_EQ(static_cast<float>(levels.scale(static_cast<double>(bound)).number()), expected) << bound;
  }
}

TEST(Codes, ties_follow_the_option) {
  const std::vector<float> at_limits{-7, 7, 3, 8}, levels_of_relu{0, 15, 3.5f, 16};
  using Mask = std::vector<float>;
  EXPECT_EQ(mask_of({4, true, false, Ties::half}, at_limits), (Mask{0.5f, 0.5f, 1, 0}));
  EXPECT_EQ(mask_of({4, true, false, Ties::pass}, at_limits), (Mask{1, 1, 1, 0}));
  EXPECT_EQ(mask_of({4, true, false, Ties::block}, at_limits), (Mask{0, 0, 1, 0}));
  EXPECT_EQ(mask_of({4, false, false, Ties::half}, levels_of_relu), (Mask{0.5f, 0.5f, 1, 0}));
  EXPECT_EQ(mask_of({4, false, false, Ties::pass}, levels_of_relu), (Mask{1, 1, 1, 0}));
  EXPECT_EQ(mask_of({4, false, false, Ties::block}, levels_of_relu), (Mask{0, 0, 1, 0}));
}

TEST(Codes, grids) {
  const auto grid = [](int prec, bool is_signed, bool half) { return Levels(prec, is_signed, half, Ties::half).grid(); };
  EXPECT_EQ(grid(1, true, false), (Grid{0, 0}));
  EXPECT_EQ(grid(1, true, true), (Grid{-0.5f, 0.5f}));
  EXPECT_EQ(grid(2, true, true), (Grid{-1.5f, 1.5f}));
  EXPECT_EQ(grid(4, true, false), (Grid{-7, 7}));
  EXPECT_EQ(grid(8, true, false), (Grid{-127, 127}));
  EXPECT_EQ(grid(8, false, false), (Grid{0, 255}));
  EXPECT_EQ(grid(4, false, true), (Grid{0, 15}));  // no half shift behind a ReLU
}

TEST(Codes, truncation_goes_towards_zero) {
  GraphBuilder g({.training = false});
  g.fetch("whole", truncate(g.input("x", {{5}, DType::f32})));
  EXPECT_EQ(Evaluator().run(g, {}, {{"x", {-1.75f, -0.5f, 0, 0.75f, 2}}}).at("whole"), (std::vector<float>{-1, 0, 0, 0, 2}));
}

}  // namespace
}  // namespace qfw::aqt

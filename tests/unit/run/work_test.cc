#include "inspect/work.h"

#include <gtest/gtest.h>

#include "inspect/explanation.h"
#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

/// A convolution of 3 x 3 and a dense layer, forward and backward, as a graph may have them.
TEST(Work, CountsTheMultiplicationsOfEachMatmul) {
  GraphBuilder g({.training = true});
  const Value images = g.input("images", {{2, 8, 8, 4}, DType::f32});
  const Value kernel = g.parameter("kernel", {3, 3, 4, 6}, Init::zeros());
  const Conv2d same{.padding = same_padding({2, 8, 8, 4}, {3, 3}, {1, 1})};
  const Value hidden = conv2d(images, kernel, same);  // 2 x 8 x 8 x 6 sums of 36
  g.fetch("gradient of images", g.add(Op::conv2d_grad_src, {hidden, kernel}, Conv2dGrad{same, images.shape()}));
  g.fetch("gradient of kernel", g.add(Op::conv2d_grad_weights, {images, hidden}, Conv2dGrad{same, kernel.shape()}));
  const Value low = cast(reshape(hidden, {2, 384}), DType::bf16);
  g.fetch("logits", dense(low, cast(g.parameter("dense", {384, 5}, Init::zeros()), DType::bf16)));
  const Value codes = cast(round_even(images), DType::u8);
  g.fetch("integers", conv2d(codes, cast(round_even(kernel), DType::s8), same));
  const Work work = work_of(g.graph(), 2);
  EXPECT_EQ(work.f32, 3 * 8 * 8 * 6 * 36);
  EXPECT_EQ(work.bf16, 384 * 5);
  EXPECT_EQ(work.integer, 8 * 8 * 6 * 36);
}

TEST(Work, OfGroupsIsThatOfTheirOwnChannels) {
  GraphBuilder g({.training = true});
  const Value images = g.input("images", {{1, 8, 8, 4}, DType::f32});
  g.fetch("product", conv2d(images, g.parameter("kernel", {1, 1, 2, 6}, Init::zeros()), {.groups = 2}));
  EXPECT_EQ(work_of(g.graph(), 1).f32, 8 * 8 * 6 * 2);
}

TEST(Work, AtThePeakTakesTheTimeOfItsParts) {
  const Work work{.f32 = 3e6, .bf16 = 0, .integer = 8e6};
  EXPECT_DOUBLE_EQ(*peak_images_per_second(work, {.f32 = 1e9, .bf16 = 0, .integer = 4e9}), 1 / (3e-3 + 2e-3));
  EXPECT_FALSE(peak_images_per_second(work, {.f32 = 1e9}));
  EXPECT_FALSE(peak_images_per_second({}, {.f32 = 1e9, .bf16 = 1e9, .integer = 1e9}));
}

/// The forward products as integers, and of each layer two backward ones, but for the first, whose images have no gradient.
TEST(Work, OfATrainingStepIsTheForwardPassAndTwoBackwardOnes) {
  const test::TemporaryFolder folder;
  for (const bool integer : {true, false}) {
    const std::string arithmetic = integer ? "integer" : "fake_quant";
    const Session session(test::micro_recipe(folder.path(), {"quantizer.arithmetic=" + arithmetic}), Session::Data::required);
    const Explanation explanation = explain(session);
    const auto all = static_cast<double>(explanation.multiplications);
    const auto first = static_cast<double>(explanation.layers.front().multiplications);
    const Work& last = explanation.phases.back().work;
    EXPECT_DOUBLE_EQ(last.integer, integer ? all : 0);
    EXPECT_DOUBLE_EQ(last.f32, (integer ? 2 : 3) * all - first);
    EXPECT_DOUBLE_EQ(explanation.phases.front().work.f32, 3 * all - first) << "nothing is quantized yet";
  }
}

}  // namespace
}  // namespace qfw

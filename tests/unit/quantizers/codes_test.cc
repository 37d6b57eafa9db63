#include "codes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>

#include "passes/differentiate.h"
#include "support/evaluate.h"
#include "support/golden.h"

namespace qfw::aqt {
namespace {

using testing::Evaluator;

/// Steps from one float to the other.
std::int64_t ulps(float a, float b) {
  const auto ordered = [](float x) {
    const auto bits = std::bit_cast<std::int32_t>(x);
    return bits < 0 ? std::int64_t{INT32_MIN} - bits : std::int64_t{bits};
  };
  return std::abs(ordered(a) - ordered(b));
}

void expect_equal(const std::vector<float>& found, const std::vector<float>& expected, const std::string& what,
                  std::int64_t allowed = 0) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_LE(ulps(found[i], expected[i]), allowed) << what << "[" << i << "]: " << found[i] << ", expected " << expected[i];
  }
}

Levels levels_of(const golden::Group& group, Ties ties = Ties::half) {
  return {static_cast<int>(group.number("prec")), group.text("kind") == "symmetric", group.flag("half_shift"), ties};
}

/// d codes / d scaled at each of `scaled`.
std::vector<float> mask_of(const Levels& levels, const golden::Array& scaled) {
  GraphBuilder g({.training = false});
  const Value y = g.parameter("y", scaled.shape, Init::zeros());
  g.fetch("mask", differentiate(g, sum(levels.codes(y)), std::array{y})[0]);
  return Evaluator().run(g, {{"y", scaled.values}}).at("mask");
}

TEST(Codes, agree_with_the_reference_bit_for_bit) {
  const auto cases = golden::Group::open("quant_ops.h5").cases();
  ASSERT_FALSE(cases.empty());
  for (const golden::Group& group : cases) {
    const golden::Array input = group.floats("x"), bound = group.floats("bounds"), cotangent = group.floats("cotangent");
    const Levels levels = levels_of(group);
    GraphBuilder g({.training = false});
    const Value x = g.parameter("x", input.shape, Init::zeros());
    const Value scale = levels.scale(g.input("bounds", {bound.shape, DType::f32})), codes = levels.codes(x * scale);
    const Value dequantized = codes / scale;
    const Value loss = sum(dequantized * g.input("cotangent", {cotangent.shape, DType::f32}));
    g.fetch("scale", scale), g.fetch("codes", codes), g.fetch("dequantized", dequantized);
    g.fetch("grad_x", differentiate(g, loss, std::array{x})[0]);
    const auto found = Evaluator().run(g, {{"x", input.values}}, {{"bounds", bound.values}, {"cotangent", cotangent.values}});

    const std::string place = group.name() + " " + group.text("inputs") + " ";
    for (const char* name : {"scale", "codes", "dequantized"})
      expect_equal(found.at(name), group.floats(name).values, place + name);
    expect_equal(found.at("grad_x"), group.floats("grad_x").values, place + "grad_x", 2);
    for (const float code : found.at("codes")) {
      ASSERT_TRUE(code >= levels.grid().low && code <= levels.grid().high) << place << code;
    }

    golden::Array scaled = input;
    const auto& scales = found.at("scale");
    for (std::size_t i = 0; i < scaled.values.size(); ++i) scaled.values[i] *= scales[i % scales.size()];
    expect_equal(mask_of(levels, scaled), group.floats("ste_mask").values, place + "ste_mask");
    if (HasFatalFailure()) return;
  }
}

TEST(Codes, weights_are_bounded_by_their_largest_magnitude) {
  int seen = 0;
  for (const golden::Group& group : golden::Group::open("quant_ops.h5").cases()) {
    if (!group.text("inputs").starts_with("weights")) continue;
    const golden::Array weights = group.floats("x");
    GraphBuilder g({.training = false});
    const Keep keep = group.text("granularity") == "per_channel" ? Keep::channel : Keep::nothing;
    g.fetch("bound", weight_bound(g.input("w", {weights.shape, DType::f32}), keep));
    expect_equal(Evaluator().run(g, {}, {{"w", weights.values}}).at("bound"), group.floats("bounds").values, group.name());
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

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
  const golden::Array at_limits{{4}, {-7, 7, 3, 8}}, levels_of_relu{{4}, {0, 15, 3.5f, 16}};
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

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>

#include "codes.h"
#include "parity/backends.h"
#include "parity/tolerances.h"
#include "passes/differentiate.h"
#include "support/evaluate.h"
#include "support/golden.h"
#include "support/tie_mask.h"

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

class QuantOps : public parity::OnEachBackend {};
QFW_ON_EACH_BACKEND(QuantOps);

TEST_P(QuantOps, agree_with_the_reference_bit_for_bit) {
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
    g.fetch("scale", scale);
    g.fetch("codes", codes);
    g.fetch("dequantized", dequantized);
    g.fetch("grad_x", differentiate(g, loss, std::array{x})[0]);
    const auto found =
        Evaluator(GetParam()).run(g, {{"x", input.values}}, {{"bounds", bound.values}, {"cotangent", cotangent.values}});

    const std::string place = group.name() + " " + group.text("inputs") + " ";
    for (const char* name : {"scale", "codes", "dequantized"})
      expect_equal(found.at(name), group.floats(name).values, place + name);
    expect_equal(found.at("grad_x"), group.floats("grad_x").values, place + "grad_x", parity::gradient_ulps);
    for (const float code : found.at("codes")) {
      ASSERT_TRUE(code >= levels.grid().low && code <= levels.grid().high) << place << code;
    }

    golden::Array scaled = input;
    const auto& scales = found.at("scale");
    for (std::size_t i = 0; i < scaled.values.size(); ++i) scaled.values[i] *= scales[i % scales.size()];
    expect_equal(mask_of(levels, scaled.values, GetParam()), group.floats("ste_mask").values, place + "ste_mask");
    if (HasFatalFailure()) return;
  }
}

TEST_P(QuantOps, weights_are_bounded_by_their_largest_magnitude) {
  int seen = 0;
  for (const golden::Group& group : golden::Group::open("quant_ops.h5").cases()) {
    if (!group.text("inputs").starts_with("weights")) continue;
    const golden::Array weights = group.floats("x");
    GraphBuilder g({.training = false});
    const Keep keep = group.text("granularity") == "per_channel" ? Keep::channel : Keep::nothing;
    g.fetch("bound", weight_bound(g.input("w", {weights.shape, DType::f32}), keep));
    expect_equal(Evaluator(GetParam()).run(g, {}, {{"w", weights.values}}).at("bound"), group.floats("bounds").values,
                 group.name());
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace qfw::aqt

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "layers.h"

namespace qfw::cuda::testing {
namespace {

using ::testing::HasSubstr;

Padding padding(std::int64_t n) { return {{n, n}, {n, n}}; }

/// Tails of rows, columns and depth, all tiles, words and types; strides and groups.
const std::vector<Layer> layers{
    {{2, 9, 8, 16}, {3, 3, 16, 24}, {.padding = padding(1)}},
    {{1, 13, 11, 48}, {5, 1, 48, 20}, {.stride = {2, 1}, .padding = {{2, 1}, {1, 0}}}, DType::s8},
    {{1, 17, 19, 3}, {7, 7, 3, 64}, {.stride = {2, 2}, .padding = {{3, 2}, {3, 3}}}},
    {{1, 9, 9, 17}, {3, 3, 17, 19}, {.padding = padding(1)}},
    {{2, 13, 13, 32}, {1, 1, 32, 130}, {}, DType::s8},
    {{1, 6, 6, 20}, {3, 3, 20, 9}, {.padding = padding(1)}},
    {{1, 5, 4, 1}, {3, 3, 1, 1}, {.padding = padding(1)}},
    {{1, 6, 5, 32}, {3, 3, 16, 64}, {.padding = padding(1), .groups = 2}},
    {{1, 5, 5, 34}, {3, 3, 17, 34}, {.padding = padding(1), .groups = 2}},
    {{33, 50}, {50, 100}},
    {{1, 64}, {64, 70}},
    {{5, 17}, {17, 3}},
    {{2, 7, 5, 2048}, {1, 1, 16, 8192}, {.groups = 128}},        // 128 x 64
    {{2, 7, 5, 2048}, {1, 1, 16, 16384}, {.groups = 128}},       // 128 x 128: staged in two parts
    {{2, 7, 5, 2080}, {1, 1, 16, 130 * 65}, {.groups = 130}},    // the same, odd columns
};

/// What an evaluation makes of sums: codes, with a residual, and floats.
void evaluation(GraphBuilder& g, Value sums) {
  const Shape shape = sums.shape(), channels{shape.channels()};
  const Value factor = feed(g, "factor", {channels}), shift = feed(g, "shift", {channels, DType::bf16});
  const Value y = cast(sums, DType::f32) * (factor * 1e-3) + cast(shift, DType::f32);
  const Value sum = relu(y) + cast(feed(g, "residual", {shape, DType::bf16}), DType::f32);
  fetch(g, "codes", cast(clip(floor(sum * feed(g, "scale", {Shape{}})), 0, 255), DType::u8));
  fetch(g, "signed", cast(clip(round_even(y * 31.0), -127, 127), DType::s8));
  fetch(g, "bf16", cast(sum, DType::bf16));
  fetch(g, "largest", reduce_max(y));
}

/// Operands of other shapes, and codes alone.
void broadcasts(GraphBuilder& g, Value sums) {
  const Shape shape = sums.shape();
  Value y = cast(sums, DType::f32) * feed(g, "number", {Shape{}});
  if (shape.rank() == 4) {
    y = y * feed(g, "of_image", {{shape[0], 1, 1, shape[3]}}) + feed(g, "of_row", {{1, shape[1], 1, 1}}) -
        feed(g, "of_pixel", {{shape[0], shape[1], shape[2], 1}});
  }
  fetch(g, "codes", cast(clip(floor(y), 0, 15), DType::u8));
}

/// What a training makes of them.
void training(GraphBuilder& g, Value sums) {
  const Value y = cast(sums, DType::f32) * feed(g, "factor", {{sums.shape().channels()}}) * 1e-2;
  fetch(g, "y", cast(y, DType::bf16));
  if (sums.shape().count() > sums.shape().channels()) {
    const Moments statistics = moments(y);
    fetch(g, "mean", statistics.mean);
    fetch(g, "variance", statistics.variance);
    fetch(g, "by channel", sum_to(y, {sums.shape().channels()}));
  }
  fetch(g, "magnitude", sum(abs(y)));
  fetch(g, "all", sum(y));
  fetch(g, "least", reduce_min(y));
}

using Make = void (*)(GraphBuilder& g, Value sums);

Graph graph_of(Make make, bool in_training, bool apart) {
  GraphBuilder g({.training = in_training});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto scope = g.scope(std::to_string(i));
    make(g, sums_of(g, layers[i], apart));
  }
  return finish(g.graph());
}

class Riding : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Riding, ::testing::Values(61, 75, 80));

constexpr double ulp = 0x1p-24;

/// Sums of a few rows in f32, the rest in double, twice rounded: the worst that can be.
void expect_near(const std::string& name, float found, float exact, double magnitude) {
  EXPECT_NEAR(found, exact, 12 * ulp * magnitude + 1e-30) << name;
}

TEST_P(Riding, ReductionsAreNearTheTruthAndTheSameInEachOrderOfThreads) {
  const Graph riding = graph_of(training, true, false);
  const std::vector<Bytes> feeds = random_feeds(riding, 2);
  const test::Tensors exact = interpreted(riding, feeds);
  std::vector<Bytes> found;
  for (const emulated::Schedule schedule : emulated::schedules) {
    Ran ran = run(riding, feeds, {.architecture = GetParam(), .schedule = schedule});
    EXPECT_EQ(count_of(ran.plan, "with its pass"), layers.size()) << ran.plan;
    if (!found.empty()) EXPECT_TRUE(ran.fetches == found) << "in another order of threads";
    found = std::move(ran.fetches);
  }
  const auto fetched = [&](const std::string& name) {
    const auto at = std::ranges::find(riding.fetches, name, &Fetch::name);
    return static_cast<std::size_t>(at - riding.fetches.begin());
  };
  const auto floats = [](const Bytes& bytes) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  };
  const auto expected = [&](std::size_t fetch) {
    const Use use = riding.fetches[fetch].use;
    return exact.at({use.node, use.output});
  };
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const std::string path = std::to_string(layer) + " ";
    for (const char* name : {"y", "least"}) {
      const std::size_t at = fetched(path + name);
      EXPECT_TRUE(found[at] == expected(at)) << path << name;
    }
    const std::size_t magnitude = fetched(path + "magnitude"), all = fetched(path + "all");
    const double total = floats(expected(magnitude))[0];
    expect_near(path + "magnitude", floats(found[magnitude])[0], static_cast<float>(total), total);
    expect_near(path + "all", floats(found[all])[0], floats(expected(all))[0], total);
    const std::size_t mean = fetched(path + "mean"), variance = mean + 1, sums = mean + 2;
    if (mean == riding.fetches.size()) continue;
    const auto means = floats(expected(mean)), variances = floats(expected(variance)), added = floats(expected(sums));
    const double count = static_cast<double>(riding.type(riding.fetches[fetched(path + "y")].use).shape.count()) /
                         static_cast<double>(means.size());
    for (std::size_t c = 0; c < means.size(); ++c) {
      const double deviation = std::sqrt(variances[c]), size = std::abs(means[c]);
      EXPECT_NEAR(floats(found[mean])[c], means[c], 64 * ulp * deviation + 4 * ulp * size + 1e-30) << path << c;
      EXPECT_NEAR(floats(found[variance])[c], variances[c], 160 * ulp * variances[c] + 1e-30) << path << c;
      expect_near(path + "by channel", floats(found[sums])[c], added[c], count * (deviation + size));
    }
  }
}

TEST_P(Riding, ElementsHaveTheBitsOfAGroupOfItsOwn) {
  for (const Make make : {evaluation, broadcasts}) {
    const Graph riding = graph_of(make, false, false), apart = graph_of(make, false, true);
    const std::vector<Bytes> feeds = random_feeds(riding, 1);
    const Ran expected = run(apart, feeds, {.architecture = GetParam()});
    EXPECT_EQ(count_of(expected.plan, "its pass"), 0U);
    for (const emulated::Schedule schedule : emulated::schedules) {
      const Ran ran = run(riding, feeds, {.architecture = GetParam(), .schedule = schedule});
      EXPECT_EQ(count_of(ran.plan, "with its pass"), layers.size()) << ran.plan;
      expect_equal(riding, ran.fetches, apart, expected.fetches);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace qfw::cuda::testing

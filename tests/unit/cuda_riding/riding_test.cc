#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "layers.h"

namespace qfw::cuda::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Padding padding(std::int64_t n) { return {{n, n}, {n, n}}; }

/// Tails of rows, columns and depth; words, types, strides and groups. The first four take all tiles: 64 x 64, 128 x 32, 128 x
/// 64, 128 x 128, which is staged in two parts.
const std::vector<Layer> layers{
    {{2, 9, 8, 17}, {3, 3, 17, 72}, {.padding = padding(1)}},
    {{1, 13, 11, 48}, {5, 1, 48, 20}, {.stride = {2, 1}, .padding = {{2, 1}, {1, 0}}}, DType::s8},
    {{2, 7, 5, 2048}, {1, 1, 16, 8192}, {.groups = 128}},
    {{2, 7, 5, 2080}, {1, 1, 16, 130 * 66}, {.groups = 130}},
    {{1, 17, 19, 3}, {7, 7, 3, 64}, {.stride = {2, 2}, .padding = {{3, 2}, {3, 3}}}},
    {{1, 9, 9, 17}, {3, 3, 17, 19}, {.padding = padding(1)}},
    {{2, 13, 13, 32}, {1, 1, 32, 130}, {}, DType::s8},
    {{1, 5, 4, 1}, {3, 3, 1, 1}, {.padding = padding(1)}},
    {{1, 6, 5, 34}, {3, 3, 17, 34}, {.padding = padding(1), .groups = 2}},
    {{33, 50}, {50, 100}},
    {{1, 64}, {64, 70}},
};

/// On sm_80 all, elsewhere one for each tile: each takes seconds to compile.
std::vector<Layer> layers_for(int architecture) {
  return {layers.begin(), architecture == 80 ? layers.end() : layers.begin() + 4};
}

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

Graph graph_of(const std::vector<Layer>& of, Make make, bool in_training, bool apart) {
  GraphBuilder g({.training = in_training});
  for (std::size_t i = 0; i < of.size(); ++i) {
    const auto scope = g.scope(std::to_string(i));
    make(g, sums_of(g, of[i], apart));
  }
  return finish(g.graph());
}

class Riding : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Riding, ::testing::Values(61, 75, 80));

/// What rides in each order of threads, beside the same groups after their products.
void expect_bits(const std::vector<Layer>& of, Make make, int architecture) {
  const Graph riding = graph_of(of, make, false, false), apart = graph_of(of, make, false, true);
  const std::vector<Bytes> feeds = random_feeds(riding, 1);
  const Ran expected = run(apart, feeds, {.architecture = architecture});
  EXPECT_THAT(expected.plan, Not(HasSubstr("its pass")));
  for (const emulated::Schedule schedule : emulated::schedules) {
    const Ran ran = run(riding, feeds, {.architecture = architecture, .schedule = schedule});
    EXPECT_EQ(count_of(ran.plan, "with its pass"), of.size()) << ran.plan;
    expect_equal(riding, ran.fetches, apart, expected.fetches);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST_P(Riding, ElementsHaveTheBitsOfAGroupOfItsOwn) { expect_bits(layers_for(GetParam()), evaluation, GetParam()); }

TEST(RidingOperands, MayBeOfOtherShapes) {
  const std::vector<Layer> some{layers[0], layers[3], layers[5], layers[9]};
  expect_bits(some, broadcasts, 80);
}

constexpr double ulp = 0x1p-24;

std::vector<float> floats(const Bytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Sums of a few rows in f32, the rest in double, twice rounded: the worst that can be.
void expect_near(const std::string& name, float found, float exact, double magnitude) {
  EXPECT_NEAR(found, exact, 12 * ulp * magnitude + 1e-30) << name;
}

/// What training() fetches, held against the reference kernels.
void expect_right(const Graph& graph, std::size_t layer_count, const std::vector<Bytes>& feeds,
                  const std::vector<Bytes>& found) {
  const test::Tensors exact = interpreted(graph, feeds);
  const auto fetched = [&](const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(graph.fetches, name, &Fetch::name) - graph.fetches.begin());
  };
  const auto expected = [&](std::size_t fetch) {
    const Use use = graph.fetches[fetch].use;
    return exact.at({use.node, use.output});
  };
  for (std::size_t layer = 0; layer < layer_count; ++layer) {
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
    if (mean == graph.fetches.size()) continue;
    const auto means = floats(expected(mean)), variances = floats(expected(variance)), added = floats(expected(sums));
    const auto own_means = floats(found[mean]), own_variances = floats(found[variance]), own_sums = floats(found[sums]);
    const double count = static_cast<double>(graph.type(graph.fetches[fetched(path + "y")].use).shape.count()) /
                         static_cast<double>(means.size());
    for (std::size_t c = 0; c < means.size(); ++c) {
      const double deviation = std::sqrt(variances[c]), size = std::abs(means[c]);
      EXPECT_NEAR(own_means[c], means[c], 64 * ulp * deviation + 4 * ulp * size + 1e-30) << path << c;
      EXPECT_NEAR(own_variances[c], variances[c], 160 * ulp * variances[c] + 1e-30) << path << c;
      expect_near(path + "by channel", own_sums[c], added[c], count * (deviation + size));
    }
  }
}

TEST_P(Riding, ReductionsAreNearTheTruthAndTheSameInEachOrderOfThreads) {
  const std::vector<Layer> of = layers_for(GetParam());
  const Graph graph = graph_of(of, training, true, false);
  const std::vector<Bytes> feeds = random_feeds(graph, 2);
  std::vector<Bytes> found;
  for (const emulated::Schedule schedule : emulated::schedules) {
    Ran ran = run(graph, feeds, {.architecture = GetParam(), .schedule = schedule});
    EXPECT_EQ(count_of(ran.plan, "with its pass"), of.size()) << ran.plan;
    EXPECT_TRUE(found.empty() || ran.fetches == found) << "in another order of threads";
    found = std::move(ran.fetches);
  }
  expect_right(graph, of.size(), feeds, found);
}

TEST(RidingReductions, OfManyTilesAreTakenBySeveralABlock) {
  const std::vector<Layer> large{{{2, 3, 43, 1366 * 16}, {1, 1, 16, 1366 * 16}, {.groups = 1366}}};
  const Graph graph = graph_of(large, training, true, false);
  const std::vector<Bytes> feeds = random_feeds(graph, 3);
  const Ran ran = run(graph, feeds, {.schedule = emulated::Schedule::last_ahead});
  EXPECT_THAT(ran.plan, HasSubstr("4098 tiles of 128x32"));
  EXPECT_THAT(ran.plan, HasSubstr("5 reduced in 2 parts"));  // of three tiles below each other, two and one
  expect_right(graph, 1, feeds, ran.fetches);
}

/// What cannot ride follows its product, in the same step, and says why.
void sums_of_images(GraphBuilder& g, Value sums) {
  const Value y = cast(sums, DType::f32) * feed(g, "factor", {{sums.shape().channels()}});
  fetch(g, "codes", cast(clip(floor(y), 0, 255), DType::u8));
  if (g.training()) {
    fetch(g, "of images", sum_to(y, {sums.shape()[0], 1, 1, sums.shape().channels()}));
  } else {
    fetch(g, "mean", sum_to(y, {sums.shape().channels()}));
  }
}

TEST(RidingGroups, FollowTheirProductWhereTheyCannotRide) {
  const std::vector<Layer> of{layers[0], layers[6]};
  for (const bool in_training : {true, false}) {
    const Graph riding = graph_of(of, sums_of_images, in_training, false),
                apart = graph_of(of, sums_of_images, in_training, true);
    const std::vector<Bytes> feeds = random_feeds(riding, 4);
    const Ran expected = run(apart, feeds, {}), ran = run(riding, feeds, {});
    EXPECT_EQ(count_of(ran.plan,
                       in_training ? "then its pass, as it reduces to more than a row" : "then its pass, as it sums in order"),
              2U)
        << ran.plan;
    expect_equal(riding, ran.fetches, apart, expected.fetches);
  }
}

/// A gradient is one product without strides, and rides; with them it is several.
TEST(RidingGradients, RideIfTheyAreOneProduct) {
  const auto graph_of_two = [](bool apart) {
    GraphBuilder g({.training = true});
    for (const std::int64_t stride : {1, 2}) {
      const auto scope = g.scope(std::to_string(stride));
      const Shape src{2, 8, 8, 24}, dst{2, 8 / stride, 8 / stride, 48};
      const Conv2d conv{.stride = {stride, stride}, .padding = {{1, 1}, {1, 1}}};
      const Value gradient = feed(g, "gradient", {dst, DType::s8}), weights = feed(g, "weights", {{3, 3, 24, 48}, DType::s8});
      const Value sums = g.add(Op::conv2d_grad_src, {gradient, weights}, Conv2dGrad{conv, src});
      if (apart) fetch(g, "sums", sums);
      const Value y = cast(sums, DType::f32) * feed(g, "factor", {{2, 1, 1, 1}});
      fetch(g, "bf16", cast(y + cast(feed(g, "other", {src, DType::bf16}), DType::f32), DType::bf16));
    }
    return finish(g.graph());
  };
  const Graph riding = graph_of_two(false), apart = graph_of_two(true);
  const std::vector<Bytes> feeds = random_feeds(riding, 6);
  const Ran expected = run(apart, feeds, {}), ran = run(riding, feeds, {});
  EXPECT_EQ(count_of(ran.plan, "with its pass"), 1U) << ran.plan;
  expect_equal(riding, ran.fetches, apart, expected.fetches);
}

/// Products whose sums no tile has as a whole are steps of their own.
TEST(RidingGroups, AreOfTheirOwnWhereNoTileHasWholeSums) {
  const std::vector<Layer> of{{{1, 13, 11, 48}, {5, 3, 48, 20}},               // blocks share out the depth
                              {{1, 6, 6, 12}, {3, 3, 3, 12}, {.groups = 4}}};  // groups of few channels
  const Graph graph = graph_of(of, evaluation, false, false);
  const Ran ran = run(graph, random_feeds(graph, 5), {});
  EXPECT_THAT(ran.plan, Not(HasSubstr("its pass")));
  EXPECT_EQ(count_of(ran.plan, "fused reduction"), of.size()) << ran.plan;
}

}  // namespace
}  // namespace qfw::cuda::testing

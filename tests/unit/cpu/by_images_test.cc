#include "by_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support.h"

namespace qfw::cpu {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t channels = 16;

/// Numbers between -1 and 1, or codes, as a tensor that everybody knows.
Value weights(GraphBuilder& g, std::vector<ConstantTensor>& tensors, const TensorType& type, unsigned seed) {
  auto bytes = std::make_shared<std::vector<std::byte>>(type.bytes());
  std::minstd_rand random(seed);
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    const int draw = static_cast<int>(random() % 255) - 127;
    if (type.dtype == DType::s8) {
      (*bytes)[static_cast<std::size_t>(i)] = static_cast<std::byte>(draw);
    } else {
      const float value = static_cast<float>(draw) / 128;
      std::memcpy(bytes->data() + i * 4, &value, sizeof value);
    }
  }
  tensors.push_back({"tensor", type, std::move(bytes)});
  return g.input("tensor " + std::to_string(tensors.size()), type, true);
}

/// What was an input for each of those tensors becomes the tensor.
Graph with_tensors(Graph graph, std::vector<ConstantTensor> tensors) {
  std::vector<Input> images;
  int tensor = 0;
  std::vector<int> slot(graph.inputs.size());
  std::vector<bool> is_tensor(graph.inputs.size());
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    is_tensor[i] = graph.inputs[i].name.starts_with("tensor");
    slot[i] = is_tensor[i] ? tensor++ : static_cast<int>(images.size());
    if (!is_tensor[i]) images.push_back(graph.inputs[i]);
  }
  for (Node& node : graph.nodes) {
    if (node.op != Op::input) continue;
    const auto index = static_cast<std::size_t>(node.as<Slot>().index);
    if (is_tensor[index]) node.op = Op::tensor;
    node.attributes = Slot{slot[index]};
  }
  graph.inputs = std::move(images);
  graph.tensors = std::move(tensors);
  graph.training = graph.may_update = false;
  graph.summation = Summation::in_order;
  verify(graph);
  return graph;
}

constexpr Conv2d same{.padding = {{1, 1}, {1, 1}}};

/// A block with a shortcut, a pool, an integer convolution, a mean over pixels and a dense layer; labels meet the logits, and
/// all images a loss. `batch` may be anything.
Graph network(std::int64_t batch) {
  GraphBuilder g({.training = false});
  std::vector<ConstantTensor> tensors;
  const auto f32 = [&](Shape shape) { return weights(g, tensors, {shape}, static_cast<unsigned>(tensors.size()) + 1); };
  const Value x = g.input("images", {{batch, 32, 32, channels}});
  const Value labels = g.input("labels", {{batch}});
  const Value a = relu(conv2d(x, f32({3, 3, channels, channels}), same) * f32({channels}) + f32({channels}));
  const Value b = conv2d(a, f32({3, 3, channels, channels}), same) + a;
  const Value pooled = max_pool(relu(b), {.window = {2, 2}, .stride = {2, 2}});
  const Value codes = cast(minimum(maximum(floor(pooled * 3.0), 0), 255), DType::u8);
  const Value s8 = weights(g, tensors, {{1, 1, channels, 4 * channels}, DType::s8}, 99);
  const Value sums = cast(conv2d(codes, s8, {}), DType::f32) * f32({4 * channels});
  const Value mean = sum_to(sums, {batch, 1, 1, 4 * channels}) * (1.0 / 256);
  const Value logits = dense(reshape(mean, {batch, 4 * channels}), f32({4 * channels, 10}));
  g.fetch("logits", logits);
  g.fetch("labelled", sum_to(logits, {batch, 1}) + reshape(labels, {batch, 1}));
  g.fetch("all", sum_to(logits, {1, 10}));
  g.fetch("pooled", pooled);
  return with_tensors(finish(g.graph()), std::move(tensors));
}

std::vector<std::vector<float>> feeds_of(const Graph& graph) {
  std::minstd_rand random(5);
  std::vector<std::vector<float>> feeds;
  for (const Input& input : graph.inputs) {
    auto& feed = feeds.emplace_back(static_cast<std::size_t>(input.type.shape.count()));
    for (float& value : feed) value = static_cast<float>(random() % 2001) / 1000 - 1;
  }
  return feeds;
}

/// The graph by kernels for all images at once: what trains is not split.
std::vector<std::vector<float>> whole(Graph graph, int threads, bool winograd = false) {
  const auto feeds = feeds_of(graph);
  graph.training = true;  // which the ops of this graph do not ask for
  CpuBackend backend({.threads = threads, .winograd = winograd});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  EXPECT_EQ(dynamic_cast<CpuExecutable&>(*executable).images(), nullptr);
  return run(*executable, graph, feeds);
}

std::vector<std::vector<float>> in_two(const Graph& graph, int threads, bool winograd = false) {
  CpuBackend backend({.threads = threads, .winograd = winograd});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  EXPECT_NE(dynamic_cast<CpuExecutable&>(*executable).images(), nullptr);
  run(*executable, graph, feeds_of(graph));  // what a run leaves behind changes nothing in the next
  return run(*executable, graph, feeds_of(graph));
}

TEST(ByImages, BothPartsGiveTheBitsOfTheWhole) {
  const Graph graph = network(12);
  const auto expected = whole(graph, 2);
  for (const int threads : {1, 2, 3}) EXPECT_TRUE(in_two(graph, threads) == expected) << threads;
}

TEST(ByImages, BothPartsMultiplyByWinogradWhereAsked) {
  const Graph graph = network(12);
  const auto expected = whole(graph, 2, true);
  EXPECT_FALSE(expected == whole(graph, 2));
  for (const int threads : {1, 2, 3}) EXPECT_TRUE(in_two(graph, threads, true) == expected) << threads;
}

TEST(ByImages, AnImageHasTheSameLogitsInEveryBatch) {
  const auto many = in_two(network(12), 2)[0];
  const Graph one = network(1);
  std::vector<std::vector<float>> feeds = feeds_of(network(12));
  for (std::size_t image = 0; image < 12; ++image) {
    const std::size_t pixels = feeds[0].size() / 12;
    const auto first = feeds[0].begin() + static_cast<std::ptrdiff_t>(image * pixels);
    CpuBackend backend({.threads = 2});
    EqualReplicas replicas;
    const auto executable = backend.compile(one, replicas);
    const auto logits = run(*executable, one, {{first, first + static_cast<std::ptrdiff_t>(pixels)}, {feeds[1][image]}})[0];
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), many.begin() + static_cast<std::ptrdiff_t>(image * 10))) << image;
  }
}

TEST(ByImages, TheFirstPartIsOfSlices) {
  const Graph graph = network(12);
  const auto split = split_by_images(graph, 2);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->images, 12);
  EXPECT_EQ(12 % (2 * split->at_once), 0);
  EXPECT_NO_THROW(verify(split->first));
  EXPECT_NO_THROW(verify(split->rest));
  EXPECT_EQ(split->first.inputs[0].type.shape, Shape({split->at_once, 32, 32, channels}));
  EXPECT_EQ(split->rest.inputs[0].type.shape, graph.inputs[0].type.shape);
  EXPECT_EQ(split->rest.fetches.size(), graph.fetches.size());
  for (std::size_t i = 0; i < split->first.nodes.size(); ++i) {
    EXPECT_EQ(split->first.nodes[i].op, graph.nodes[static_cast<std::size_t>(split->first_nodes[i])].op);
  }
}

TEST(ByImages, WhatMeetsOtherImagesIsOfTheRest) {
  const auto split = split_by_images(network(12), 2);
  ASSERT_TRUE(split);
  for (const Node& node : split->first.nodes) {
    if (node.op == Op::sum) {
      EXPECT_EQ(node.outputs[0].shape[0], split->at_once);
    }
  }
}

TEST(ByImages, GraphsThatTrainAndBatchesThatDoNotDivideAreLeft) {
  Graph graph = network(12);
  EXPECT_FALSE(split_by_images(network(1), 1));
  EXPECT_FALSE(split_by_images(network(7), 2));
  EXPECT_TRUE(split_by_images(network(7), 1));
  graph.training = true;
  EXPECT_FALSE(split_by_images(graph, 2));
}

TEST(ByImages, WeightsThatOutweighImagesAreLeft) {
  GraphBuilder g({.training = false});
  std::vector<ConstantTensor> tensors;
  const Value x = g.input("images", {{8, 4, 4, 128}});
  g.fetch("y", conv2d(x, weights(g, tensors, {{3, 3, 128, 128}}, 1), same));
  EXPECT_FALSE(split_by_images(with_tensors(finish(g.graph()), std::move(tensors)), 2));
}

TEST(ByImages, TasksNameNodesOfTheWholeGraphAndTimesFollowEachOther) {
  const Graph graph = network(12);
  CpuBackend backend({.threads = 2});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  executable->profile(true);
  run(*executable, graph, feeds_of(graph));
  const auto tasks = executable->tasks();
  const auto intervals = executable->intervals();
  ASSERT_EQ(tasks.size(), intervals.size());
  std::vector<int> convolutions;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_TRUE(std::ranges::is_sorted(tasks[i].nodes));
    EXPECT_LE(intervals[i].begin, intervals[i].end);
    if (i > 0) {
      EXPECT_LE(intervals[i - 1].end, intervals[i].begin);
    }
    for (const int node : tasks[i].nodes) {
      if (graph.nodes[static_cast<std::size_t>(node)].op == Op::conv2d) convolutions.push_back(node);
    }
  }
  std::vector<int> expected;
  for (int node = 0; node < static_cast<int>(graph.nodes.size()); ++node) {
    if (graph.nodes[static_cast<std::size_t>(node)].op == Op::conv2d) expected.push_back(node);
  }
  std::ranges::sort(convolutions);
  EXPECT_EQ(convolutions, expected);
}

}  // namespace
}  // namespace qfw::cpu

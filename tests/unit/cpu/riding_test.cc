#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "matmul/primitive.h"
#include "program.h"
#include "support.h"
#include "threads.h"

namespace qfw::cpu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Case {
  Shape src, weights;
  Conv2d how;
  bool sliced = true;
};

const std::vector<Case> cases = {
    {{16, 16, 16, 64}, {1, 1, 64, 128}, {}},                            // of pixels
    {{16, 16, 16, 32}, {3, 3, 32, 64}, {.padding = {{1, 1}, {1, 1}}}},  // of images
    {{8, 47, 47, 16}, {3, 3, 16, 64}, {.stride = {2, 2}, .padding = {{0, 1}, {0, 1}}}},
    {{8, 47, 47, 16}, {3, 3, 16, 48}, {.stride = {2, 2}, .padding = {{0, 1}, {0, 1}}}, false},  // joined rows end in the middle
    {{2, 128, 128, 3}, {7, 7, 3, 64}, {.stride = {2, 2}, .padding = {{2, 2}, {3, 3}}}},         // of rows of images
    {{1, 96, 96, 32}, {3, 3, 32, 64}, {.padding = {{1, 1}, {1, 1}}}},
    {{4, 62, 62, 3}, {7, 7, 3, 64}, {.stride = {2, 2}, .padding = {{3, 3}, {3, 3}}}, false},  // 961 rows: no equal chunks
    {{3, 5, 5, 64}, {1, 1, 64, 2048}, {}, false},  // two slices do not fall on chunks
    {{1, 14, 14, 32}, {3, 3, 32, 32}, {.padding = {{1, 1}, {1, 1}}}, false},
};

/// A quantized layer of training, or of an evaluation. `apart`: what the convolution writes is read by somebody else, too.
Graph layer(const Case& c, bool training, bool apart) {
  GraphBuilder g({.training = training});
  const Value sums = conv2d(g.input("codes", {c.src, DType::u8}), g.input("weights", {c.weights, DType::s8}), c.how);
  const Value factor = g.input("factor", {{c.weights.channels()}});
  const Value y = cast(sums, DType::f32) * factor;
  if (training) {
    const auto statistics = moments(y);
    g.fetch("mean", statistics.mean);
    g.fetch("variance", statistics.variance);
    g.fetch("largest", reduce_max(y));
    g.fetch("y", cast(y, DType::bf16));
  } else {
    g.fetch("next", cast(minimum(maximum(floor(y), 0), 15), DType::u8));
  }
  if (apart) g.fetch("sums", sums);
  Graph graph = finish(g.graph());
  if (!training) graph.summation = Summation::in_order;
  return graph;
}

std::vector<std::vector<std::byte>> outputs(const Graph& graph, int threads) {
  CpuBackend backend({.threads = threads});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  std::mt19937 random(7);
  std::vector<std::vector<std::byte>> data;
  std::vector<HostView> feeds;
  for (const Input& input : graph.inputs) {
    std::vector<std::byte>& bytes = data.emplace_back(input.type.bytes());
    if (input.type.dtype == DType::f32) {
      for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) {
        const float value = 1e-3f * static_cast<float>(random() % 1000);
        std::memcpy(&bytes[i], &value, sizeof(float));
      }
    } else {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    }
  }
  for (std::size_t i = 0; i < data.size(); ++i) feeds.push_back({graph.inputs[i].type, data[i]});
  test::execute(*executable, graph, feeds, {});  // what a run leaves behind changes nothing in the next
  return test::execute(*executable, graph, feeds, {});
}

std::string plan_of(const Graph& graph, int threads) {
  Context context;
  context.threads = threads;
  const ThreadScope scope(threads);
  EqualReplicas replicas;
  return compile(graph, context, replicas).str();
}

TEST(Riding, APassInSlicesGivesTheBitsOfAPassOfItsOwn) {
  for (const Case& c : cases) {
    for (const bool training : {true, false}) {
      const Graph riding = layer(c, training, false), apart = layer(c, training, true);
      EXPECT_THAT(plan_of(apart, 2), Not(HasSubstr("its pass")));
      auto expected = outputs(apart, 2);
      expected.pop_back();
      for (const int threads : {1, 2, 3}) EXPECT_TRUE(outputs(riding, threads) == expected) << c.src.str() << threads;
    }
  }
}

TEST(Riding, WhatIsSlicedSaysSo) {
  if (!library_has_integer_dot()) GTEST_SKIP() << "no VNNI";
  for (const Case& c : cases) {
    for (const bool training : {true, false}) {
      EXPECT_THAT(plan_of(layer(c, training, false), 2), HasSubstr(c.sliced ? "with its pass" : "then its pass"))
          << c.src.str();
    }
  }
}

}  // namespace
}  // namespace qfw::cpu

#pragma once

#include <fmt/format.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cuda/executable.h"
#include "emulated_device.h"
#include "passes/finish.h"
#include "qfw/builder.h"
#include "qfw/denormals.h"
#include "qfw/ops.h"
#include "support/execute.h"
#include "support/interpret.h"
#include "support/replicas.h"

/// Integer products with what rides on them, on the emulated device.
namespace qfw::cuda::testing {

using Bytes = std::vector<std::byte>;

struct Layer {
  Shape src, weights;
  Conv2d conv{};
  DType in = DType::u8;
};

inline Value feed(GraphBuilder& g, const char* name, TensorType type) { return g.input(g.path() + " " + name, type); }
inline void fetch(GraphBuilder& g, const char* name, Value value) { g.fetch(g.path() + " " + name, value); }

/// The sums of a layer, which are named `sums` if somebody else is to read them, too: then nothing rides.
inline Value sums_of(GraphBuilder& g, const Layer& layer, bool apart) {
  const Value src = feed(g, "src", {layer.src, layer.in}), weights = feed(g, "weights", {layer.weights, DType::s8});
  const Value sums = layer.src.rank() == 2 ? dense(src, weights) : conv2d(src, weights, layer.conv);
  if (apart) fetch(g, "sums", sums);
  return sums;
}

inline std::vector<Bytes> random_feeds(const Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Bytes> feeds;
  for (const Input& input : graph.inputs) {
    Bytes& bytes = feeds.emplace_back(input.type.bytes());
    const auto count = static_cast<std::size_t>(input.type.shape.count());
    const auto number = [&] { return static_cast<float>(static_cast<int>(random() % 4001) - 2000) / 1024; };
    for (std::size_t i = 0; i < count; ++i) {
      if (input.type.dtype == DType::f32) {
        const float value = number();
        std::memcpy(&bytes[4 * i], &value, 4);
      } else if (input.type.dtype == DType::bf16) {
        const BFloat16 value(number());
        std::memcpy(&bytes[2 * i], &value, 2);
      }
    }
    if (!is_float(input.type.dtype)) {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    }
  }
  return feeds;
}

struct Ran {
  std::vector<Bytes> fetches;
  std::string plan;
};

/// Once with buffers as they come, and once more: what a run leaves behind changes nothing.
inline Ran run(const Graph& graph, const std::vector<Bytes>& feeds, const emulated::Kind& kind) {
  const auto context = std::make_shared<Context>(emulated::make_device({}, kind), Launching::direct);
  test::EqualReplicas replicas;
  CudaExecutable executable(graph, context, replicas);
  std::vector<HostView> views;
  for (std::size_t i = 0; i < feeds.size(); ++i) views.push_back({graph.inputs[i].type, feeds[i]});
  Ran ran{test::execute(executable, graph, views), executable.program().str()};
  EXPECT_TRUE(test::execute(executable, graph, views) == ran.fetches) << "a second run differs";
  return ran;
}

/// By the reference kernels.
inline test::Tensors interpreted(const Graph& graph, const std::vector<Bytes>& feeds) {
  const FlushDenormals flush;
  test::Tensors tensors;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (graph.nodes[i].op == Op::input) tensors[{i, 0}] = feeds[static_cast<std::size_t>(graph.nodes[i].as<Slot>().index)];
  }
  return test::interpret(graph, std::move(tensors));
}

inline std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

/// What of `graph` rides has the bits of what does not, in `apart`, which fetches the same under the same names, and sums.
inline void expect_equal(const Graph& graph, const std::vector<Bytes>& riding, const Graph& apart,
                         const std::vector<Bytes>& expected) {
  for (std::size_t i = 0; i < graph.fetches.size(); ++i) {
    const auto same = std::ranges::find(apart.fetches, graph.fetches[i].name, &Fetch::name);
    ASSERT_NE(same, apart.fetches.end());
    EXPECT_TRUE(riding[i] == expected[static_cast<std::size_t>(same - apart.fetches.begin())])
        << graph.fetches[i].name << " " << graph.type(graph.fetches[i].use).str();
  }
}

}  // namespace qfw::cuda::testing

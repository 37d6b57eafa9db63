#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "qfw/random.h"
#include "support.h"

namespace qfw::cpu {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class Executables : public testing::Test {
 protected:
  CpuBackend backend_{{.threads = 2}};
  EqualReplicas replicas_;
};

TEST_F(Executables, MovesElements) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2, 3, 4}});
  g.fetch("as it is", x);
  g.fetch("reshaped", reshape(x, {4, 6}));
  g.fetch("swapped", transpose(x, {0, 2}));
  g.fetch("last two", transpose(x, {1, 2}));
  g.fetch("first two", transpose(x, {0, 1}));
  g.fetch("wide", broadcast_to(x, {2, 2, 3, 4}));
  g.fetch("repeated", broadcast_to(reshape(sum_to(x, {2, 1, 4}), {2, 1, 4}), {2, 3, 4}));
  g.fetch("number", broadcast_to(reduce_max(x), {3}));
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  std::vector<float> data(24);
  for (int i = 0; i < 24; ++i) data[i] = static_cast<float>(i);
  const auto results = run(*executable, graph, {data});
  EXPECT_EQ(results[0], data);
  EXPECT_EQ(results[1], data);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) {
        const float value = data[(i * 3 + j) * 4 + k];
        EXPECT_EQ(results[2][(k * 3 + j) * 2 + i], value);
        EXPECT_EQ(results[3][(i * 4 + k) * 3 + j], value);
        EXPECT_EQ(results[4][(j * 2 + i) * 4 + k], value);
        EXPECT_EQ(results[5][(i * 3 + j) * 4 + k], value);
        EXPECT_EQ(results[5][24 + (i * 3 + j) * 4 + k], value);
        EXPECT_EQ(results[6][(i * 3 + j) * 4 + k], 3 * data[(i * 3 + 1) * 4 + k]);
      }
    }
  }
  EXPECT_THAT(results[7], ElementsAre(23, 23, 23));
}

TEST_F(Executables, LargeTransposesMeetTheirTiles) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{70, 45}});
  g.fetch("swapped", transpose(x, {0, 1}));
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  std::vector<float> data(70 * 45);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  const auto result = run(*executable, graph, {data})[0];
  for (int i = 0; i < 70; ++i) {
    for (int j = 0; j < 45; ++j) ASSERT_EQ(result[j * 70 + i], data[i * 45 + j]);
  }
}

TEST_F(Executables, StepAndRandomNumbersFollowTheHost) {
  GraphBuilder g({.training = false});
  g.fetch("step", g.step());
  const Value random = random_uniform(g, "noise", {5003});
  g.fetch("random", random);
  g.fetch("shifted", random + g.step());
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  std::uint64_t stream = 0;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::random_uniform) stream = node.as<Stream>().id;
  }
  for (const std::int64_t step : {0, 3}) {
    const auto results = run(*executable, graph, {}, {.index = step, .seed = 42});
    EXPECT_THAT(results[0], ElementsAre(static_cast<float>(step)));
    for (int i = 0; i < 5003; ++i) {
      ASSERT_EQ(results[1][i], random_uniform_element(42, step, stream, i));
      ASSERT_EQ(results[2][i], results[1][i] + static_cast<float>(step));
    }
  }
}

TEST_F(Executables, ReplicasReduceTogether) {
  EqualReplicas three(3);
  GraphBuilder g({});
  const Value x = g.input("x", {{4}}), y = g.input("y", {{2, 2}});
  const Value large = g.input("large", {{200, 1000}});
  const Value a = all_reduce(x * 2.0, Across::sum), b = all_reduce(y + 1.0, Across::sum), c = all_reduce(x, Across::mean);
  g.fetch("a", a + 1.0);
  g.fetch("b", b);
  g.fetch("c", c * 2.0);
  g.fetch("large", reduce_max(all_reduce(large, Across::sum)));
  const Graph graph = finish(g.graph(), 3);
  const auto executable = backend_.compile(graph, three);
  std::vector<float> many(200000, 1);
  many[777] = 5;
  const std::vector<float> kept = many;
  const auto results = run(*executable, graph, {{1, 2, 3, 4}, {1, 2, 3, 4}, many});
  EXPECT_THAT(results[0], ElementsAre(7, 13, 19, 25));
  EXPECT_THAT(results[1], ElementsAre(6, 9, 12, 15));
  EXPECT_THAT(results[2], ElementsAre(2, 4, 6, 8));
  EXPECT_THAT(results[3], ElementsAre(15));
  EXPECT_EQ(many, kept);  // what the caller feeds is never written
  EXPECT_LT(three.calls, 4);
}

TEST_F(Executables, DenormalsAreZeroOnEveryThread) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{1 << 16}});
  g.fetch("half", x * 0.5);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  const auto result = run(*executable, graph, {std::vector<float>(1 << 16, std::numeric_limits<float>::min())})[0];
  EXPECT_THAT(result, Each(0.0f));
  volatile float smallest = std::numeric_limits<float>::min();
  EXPECT_NE(smallest * 0.5f, 0);  // the caller's own arithmetic is as it was
}

TEST_F(Executables, WrongTensorsAreRefused) {
  GraphBuilder g({.training = false});
  g.fetch("y", g.input("pixels", {{4}}) + 1.0);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  std::vector<float> four(4), three(3);
  const HostTensor good = tensor({{4}}, four), bad = tensor({{3}}, three);
  const HostView feed = good, wrong = bad;
  EXPECT_THAT(message_of([&] { executable->run({}, {&wrong, 1}, {&good, 1}); }), HasSubstr("pixels"));
  EXPECT_THAT(message_of([&] { executable->run({}, {&feed, 1}, {&bad, 1}); }), HasSubstr("y"));
  EXPECT_THAT(message_of([&] { executable->run({}, {}, {&good, 1}); }), HasSubstr("0 feeds"));
}

TEST_F(Executables, TasksAreTheirKernels) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{8, 4}}), w = g.input("w", {{4, 3}});
  const Value product = dense(x, w);
  g.fetch("y", relu(product));
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  const auto tasks = executable->tasks();
  ASSERT_EQ(tasks.size(), 3);
  EXPECT_EQ(tasks[0].kind, "dense");
  EXPECT_NE(tasks[0].implementation, "");
  EXPECT_EQ(tasks[0].nodes, std::vector<int>{2});
  EXPECT_EQ(tasks[0].bytes, 4 * (8 * 4 + 4 * 3 + 8 * 3));
  EXPECT_EQ(tasks[1].kind, "fused elementwise");
  EXPECT_EQ(tasks[1].nodes, std::vector<int>{3});
  EXPECT_EQ(tasks[1].bytes, 4 * 2 * 8 * 3);
  EXPECT_EQ(tasks[2].kind, "copy of fetches");
  EXPECT_THAT(tasks[2].nodes, testing::IsEmpty());
  EXPECT_EQ(tasks[2].bytes, 4 * 2 * 8 * 3);
  const auto held = executable->held();  // the product, and what lies over it
  ASSERT_EQ(held.size(), 2);
  EXPECT_EQ(held[0].use, (Use{2, 0}));
  EXPECT_EQ(held[0].first, 0);
  EXPECT_EQ(held[0].last, 1);
  EXPECT_EQ(held[1].use, (Use{3, 0}));
  EXPECT_EQ(held[1].last, 2);
}

TEST_F(Executables, DescriptionNamesWhatMattersForSpeed) {
  EXPECT_THAT(backend_.describe(), HasSubstr("2 threads"));
  EXPECT_THAT(backend_.describe(), HasSubstr("oneDNN 3."));
  EXPECT_EQ(backend_.threads(), 2);
}

TEST_F(Executables, CompositesAreLeftToTheCore) {
  GraphBuilder g({.training = false});
  const Value logits = g.input("logits", {{2, 3}}), targets = g.input("targets", {{2, 3}});
  g.fetch("loss", softmax_cross_entropy(logits, targets));
  const Graph graph = finish(g.graph());
  int declined = 0;
  for (const Node& node : graph.nodes) {
    const Backend::Support support = backend_.supports(graph, node);
    if (support.yes) continue;
    ++declined;
    EXPECT_THAT(support.reason, HasSubstr("core"));
  }
  EXPECT_EQ(declined, 1);
}

}  // namespace
}  // namespace qfw::cpu

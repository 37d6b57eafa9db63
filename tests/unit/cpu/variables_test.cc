#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support.h"

namespace qfw::cpu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Variables : public testing::Test {
 protected:
  CpuBackend backend_{{.threads = 2}};
  EqualReplicas replicas_;
};

TEST_F(Variables, AStepUpdatesThem) {
  GraphBuilder g({});
  const Value w = g.parameter("w", {3}, Init::zeros());
  const Value m = g.state("m", {3});
  const Value x = g.input("x", {{3}}, true);
  const Value next = 0.5 * m + x;
  g.assign(m, next);
  g.assign(w, w - 0.1 * next);
  g.fetch("old", w * 1.0);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  write(backend_, "w", {3}, {1, 2, 3});
  write(backend_, "m", {3}, {0, 0, 0});

  EXPECT_THAT(run(*executable, graph, {{10, 20, 30}})[0], ElementsAre(1, 2, 3));
  EXPECT_THAT(read(backend_, "m", {3}), ElementsAre(10, 20, 30));
  EXPECT_THAT(read(backend_, "w", {3}), ElementsAre(0, 0, 0));
  EXPECT_THAT(run(*executable, graph, {{1, 1, 1}})[0], ElementsAre(0, 0, 0));
  EXPECT_THAT(read(backend_, "m", {3}), ElementsAre(6, 11, 16));
}

TEST_F(Variables, UpdatesTakeEffectTogether) {
  GraphBuilder g({});
  const Value a = g.state("a", {2}), b = g.state("b", {2}), c = g.state("c", {2});
  g.assign(a, b);
  g.assign(b, a);
  g.assign(c, a + b);
  g.fetch("a", a);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  write(backend_, "a", {2}, {1, 2});
  write(backend_, "b", {2}, {3, 4});
  write(backend_, "c", {2}, {0, 0});

  EXPECT_THAT(run(*executable, graph, {})[0], ElementsAre(1, 2));
  EXPECT_THAT(read(backend_, "a", {2}), ElementsAre(3, 4));
  EXPECT_THAT(read(backend_, "b", {2}), ElementsAre(1, 2));
  EXPECT_THAT(read(backend_, "c", {2}), ElementsAre(4, 6));
}

TEST_F(Variables, AValueMayBecomeTwoVariables) {
  GraphBuilder g({});
  const Value a = g.state("a", {2}), b = g.state("b", {2});
  const Value x = g.input("x", {{2}}, true);
  const Value next = a + b * x;
  g.assign(a, next);
  g.assign(b, next);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  write(backend_, "a", {2}, {1, 2});
  write(backend_, "b", {2}, {3, 4});
  run(*executable, graph, {{10, 100}});
  EXPECT_THAT(read(backend_, "a", {2}), ElementsAre(31, 402));
  EXPECT_THAT(read(backend_, "b", {2}), ElementsAre(31, 402));
}

TEST_F(Variables, AnOldValueNeededLaterIsKept) {
  GraphBuilder g({});
  const Value w = g.parameter("w", {4, 4}, Init::zeros());
  const Value x = g.input("x", {{2, 4}});
  g.assign(w, w + 1.0);                   // could run first
  g.fetch("product", dense(x, w) * 2.0);  // reads the old value
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  std::vector<float> identity(16, 0);
  for (int i = 0; i < 4; ++i) identity[i * 5] = 1;
  write(backend_, "w", {4, 4}, identity);
  EXPECT_THAT(run(*executable, graph, {{1, 2, 3, 4, 5, 6, 7, 8}})[0], ElementsAre(2, 4, 6, 8, 10, 12, 14, 16));
  EXPECT_EQ(read(backend_, "w", {4, 4})[0], 2);
  EXPECT_EQ(read(backend_, "w", {4, 4})[1], 1);
}

TEST_F(Variables, LargeUpdatesAreWrittenInPlace) {
  GraphBuilder g({});
  const Value w = g.parameter("w", {1024, 64}, Init::zeros()), m = g.state("m", {1024, 64});
  const Value x = g.input("x", {{1024, 64}}, true);
  const Value good = is_finite(sum(x));
  const Value next = 0.9 * m + x;
  g.assign(m, select(good, next, m));
  g.assign(w, select(good, w - 0.1 * next, w));
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  for (const Instruction& instruction : dynamic_cast<CpuExecutable&>(*executable).program().instructions) {
    EXPECT_STRNE(instruction.kernel->kind(), "copy of variables") << instruction.label;
  }
  EXPECT_LT(executable->arena_bytes(), 4096);

  write(backend_, "w", {1024, 64}, std::vector<float>(65536, 1));
  write(backend_, "m", {1024, 64}, std::vector<float>(65536, 10));
  std::vector<float> feed(65536, 1);
  run(*executable, graph, {feed});
  EXPECT_FLOAT_EQ(read(backend_, "m", {1024, 64})[65535], 10);
  EXPECT_FLOAT_EQ(read(backend_, "w", {1024, 64})[65535], 0);
  feed[5] = std::numeric_limits<float>::infinity();
  run(*executable, graph, {feed});
  EXPECT_FLOAT_EQ(read(backend_, "w", {1024, 64})[5], 0);
  EXPECT_FLOAT_EQ(read(backend_, "m", {1024, 64})[5], 10);
}

TEST_F(Variables, ExecutablesShareThem) {
  const auto graph_of = [](double rate) {
    GraphBuilder g({});
    const Value w = g.parameter("w", {2}, Init::zeros());
    g.assign(w, w + rate);
    return finish(g.graph());
  };
  const Graph one = graph_of(1), ten = graph_of(10);
  const auto first = backend_.compile(one, replicas_);
  write(backend_, "w", {2}, {0, 5});
  const auto second = backend_.compile(ten, replicas_);
  run(*first, one, {});
  run(*second, ten, {});
  EXPECT_THAT(read(backend_, "w", {2}), ElementsAre(11, 16));
}

TEST_F(Variables, ErrorsNameThem) {
  GraphBuilder g({});
  auto scope = g.scope("block");
  const Value w = g.parameter("w", {2}, Init::zeros());
  g.fetch("w", w + 1.0);
  const Graph graph = finish(g.graph());
  const auto executable = backend_.compile(graph, replicas_);
  EXPECT_THAT(message_of([&] { run(*executable, graph, {}); }), HasSubstr("block/w"));
  EXPECT_THAT(message_of([&] { write(backend_, "block/v", {2}, {1, 2}); }), HasSubstr("block/v"));
  EXPECT_THAT(message_of([&] { write(backend_, "block/w", {1, 2}, {1, 2}); }), HasSubstr("f32[1, 2]"));
  EXPECT_THAT(message_of([&] { read(backend_, "block/w", {3}); }), HasSubstr("f32[3]"));

  GraphBuilder other({});
  auto inside = other.scope("block");
  other.fetch("w", other.parameter("w", {3}, Init::zeros()) + 1.0);
  const Graph changed = finish(other.graph());
  EXPECT_THAT(message_of([&] { backend_.compile(changed, replicas_); }), HasSubstr("block/w"));
}

}  // namespace
}  // namespace qfw::cpu

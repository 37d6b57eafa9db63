#include "qfw/lowering/steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graphs.h"

namespace qfw::lowering {
namespace {

std::string steps_of(const Graph& graph, const Target& target, bool alone = false) {
  return to_string(graph, list_steps(graph, target, alone));
}

TEST(Steps, ATrainingStepUpdatesAtItsEnd) {
  EXPECT_EQ(steps_of(testing::normalised(), testing::target, true), testing::lines(R"(
  0 group      0 -> 2 3  # (%2 moments)
  1 group      1 2 -> 8  # (%3 constant, %4 multiply, %5 constant, %6 multiply, %7 add)
  2 group      3 -> 11  # (%8 constant, %9 add, %10 sqrt)
  3 group      0 2 11 -> 14  # (%11 subtract, %12 divide, %13 relu)
  4 fetch      14 ->   # y
  5 store      8 ->   # mean
)"));
}

/// Three gradients: two small ones share a call, and each update waits as long as its reduction may be in flight.
Graph three_gradients() {
  GraphBuilder g({});
  const Value x = g.input("x", {{8, 64}});
  Value y = x;
  std::vector<Value> weights;
  for (const char* name : {"a", "b", "c"}) {
    weights.push_back(g.parameter(name, {64, 64}, Init::zeros()));
    y = dense(y, weights.back());
    const Value gradient = all_reduce(weights.back() * sum(y), Across::mean);
    g.assign(weights.back(), weights.back() - gradient);
  }
  return finish(g.graph(), 2);
}

TEST(Steps, ReductionsAreStartedEarlyAndWaitedForLate) {
  const Graph graph = three_gradients();
  EXPECT_EQ(steps_of(graph, {.buckets = {.small_bytes = 1 << 20, .bytes = 20000, .in_flight = 1}}), testing::lines(R"(
  0 node       0 1 -> 2  # %2 dense
  1 group      2 -> 3  # (%3 sum)
  2 group      1 3 -> 4  # (%4 multiply)
  3 node       2 7 -> 8  # %8 dense
  4 group      8 -> 9  # (%9 sum)
  5 group      7 9 -> 10  # (%10 multiply)
  6 reduce     4 10 -> 5 11  # %5 all_reduce and 1 more
  7 node       8 13 -> 14  # %14 dense
  8 group      14 -> 15  # (%15 sum)
  9 group      13 15 -> 16  # (%16 multiply)
 10 wait       5 11 ->   # %5 all_reduce and 1 more
 11 group      7 11 -> 12  # (%12 subtract)
 12 group      1 5 -> 6  # (%6 subtract)
 13 reduce     16 -> 17  # %17 all_reduce and 0 more
 14 wait       17 ->   # %17 all_reduce and 0 more
 15 group      13 17 -> 18  # (%18 subtract)
 16 store      6 ->   # a
 17 store      12 ->   # b
 18 store      18 ->   # c
)"));
}

TEST(Steps, WithNoneInFlightEachIsWaitedForAtOnce) {
  const Graph graph = three_gradients();
  const StepList list = list_steps(graph, {.buckets = {.small_bytes = 0, .in_flight = 0}}, false);
  EXPECT_EQ(list.reductions, 3);
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    if (list.steps[i].kind != Step::Kind::reduce_start) continue;
    ASSERT_LT(i + 1, list.steps.size());
    EXPECT_EQ(list.steps[i + 1].kind, Step::Kind::reduce_wait);
    EXPECT_EQ(list.steps[i + 1].index, list.steps[i].index);
  }
}

/// Whatever the buckets: what is read was written before, reductions in the order of their starts, each once.
TEST(Steps, EveryValueIsThereWhenItIsRead) {
  const Graph graph = three_gradients();
  for (const std::size_t bytes : {0, 20000, 1 << 20}) {
    for (const std::size_t in_flight : {0, 1, 2, 5}) {
      const StepList list =
          list_steps(graph, {.buckets = {.small_bytes = 1 << 20, .bytes = bytes, .in_flight = in_flight}}, false);
      std::vector<bool> there(list.values, false);
      for (int value = 0; value < list.values; ++value) there[value] = graph.nodes[list.node_of[value]].inputs.empty();
      int started = 0, waited = 0;
      for (const Step& step : list.steps) {
        const bool waits = step.kind == Step::Kind::reduce_wait;
        for (const int value : step.reads) EXPECT_TRUE(there[value] || waits) << to_string(graph, list);
        if (step.kind == Step::Kind::reduce_start) {
          EXPECT_EQ(step.index, started++);
          continue;
        }
        if (waits) {
          EXPECT_EQ(step.index, waited++);
          EXPECT_LT(step.index, started);
          for (const int value : step.reads) there[value] = true;
        }
        for (const int value : step.writes) there[value] = true;
      }
      EXPECT_EQ(waited, list.reductions);
    }
  }
}

/// Variables that exchange their values: one old value is put aside first.
TEST(Steps, OldValuesAreSaved) {
  GraphBuilder g({});
  const Value a = g.state("a", {4}), b = g.state("b", {4});
  g.assign(a, b);
  g.assign(b, a);
  EXPECT_EQ(steps_of(finish(g.graph()), testing::target, true), testing::lines(R"(
  0 save       1 -> 2  # a
  1 save       0 -> 3  # b
  2 store      2 ->   # a
  3 store      3 ->   # b
)"));
}

/// y = relu(x * x) is read twice, the second time as it is computed again from what waits for a product: two passes, and the
/// reshape is no step and has no memory of its own.
TEST(Steps, WhatReadsAWaitingViewComesLater) {
  GraphBuilder g({});
  const Value x = g.input("x", {{128, 64}}), w = g.input("w", {{64, 64}});
  const Value first = dense(x, w), y = relu(first * first), product = dense(y, w);
  const Value later = g.add(Op::reshape, {first, product}, first.shape());
  g.fetch("gradient", dense(transpose(relu(later * later), {0, 1}), product));
  EXPECT_EQ(steps_of(finish(g.graph()), testing::target, true), testing::lines(R"(
  0 node       0 1 -> 2  # %2 dense
  1 group      2 -> 4  # (%3 multiply, %4 relu)
  2 node       4 1 -> 5  # %5 dense
  3 group      2 -> 8  # (%7 multiply, %8 relu)
  4 node       8 -> 9  # %9 transpose
  5 node       9 5 -> 10  # %10 dense
  6 fetch      10 ->   # gradient
)"));
}

Target carrying() {
  Target target;
  target.may_anchor = [](const Graph&, const Node& node) { return node.op == Op::conv2d; };
  return target;
}

int riders(const Graph& graph, const StepList& list) {
  int found = 0;
  for (const Step& step : list.steps) {
    if (step.kind != Step::Kind::group || step.node < 0) continue;
    ++found;
    EXPECT_EQ(graph.nodes[step.node].op, Op::conv2d);
    const int sums = list.value({step.node, 0});
    EXPECT_TRUE(std::ranges::none_of(list.steps, [&](const Step& other) {
      return std::ranges::find(other.reads, sums) != other.reads.end() ||
             std::ranges::find(other.writes, sums) != other.writes.end();
    })) << "what the convolution writes needs no memory";
    EXPECT_EQ(step.reads.size(), graph.nodes[step.node].inputs.size() + step.group->inputs.size() - 1);
  }
  return found;
}

TEST(Riding, APassIsPartOfItsConvolution) {
  const Graph graph = testing::quantized_pair();
  EXPECT_EQ(riders(graph, list_steps(graph, carrying(), true)), 1);
  EXPECT_EQ(riders(graph, list_steps(graph, testing::target, true)), 0) << "only where the backend offers it";
}

/// Sums that somebody else reads have to be in memory.
TEST(Riding, NotOfSumsThatOthersRead) {
  GraphBuilder g({.training = false});
  const Value codes = g.input("codes", {{2, 32, 32, 16}, DType::u8}), weights = g.input("weights", {{1, 1, 16, 16}, DType::s8});
  const Value sums = conv2d(codes, weights, {});
  g.fetch("sums", sums);
  g.fetch("y", relu(cast(sums, DType::f32) * 0.5));
  const Graph fetched = finish(g.graph());
  EXPECT_EQ(riders(fetched, list_steps(fetched, carrying(), true)), 0);
}

/// What two passes read of sums is stored as the last value that is the same for both, and the first of them rides.
TEST(Riding, WhatAResidualBlockHandsOnIsOneValue) {
  GraphBuilder g({.training = false});
  const TensorType images{{2, 32, 32, 16}, DType::u8}, kernel{{1, 1, 16, 16}, DType::s8};
  const Value factor = g.parameter("factor", {16}, Init::zeros()), shortcut = g.input("shortcut", {{2, 32, 32, 16}});
  const auto block = [&](Value codes, const char* weights, Value added) {
    return relu(cast(conv2d(codes, g.input(weights, kernel), {}), DType::f32) * factor + added);
  };
  const Value y = block(g.input("codes", images), "first", shortcut);
  g.fetch("y", block(cast(minimum(floor(y * 4.0), 15, Ties::half), DType::u8), "second", y));
  const Graph graph = finish(g.graph());
  const StepList list = list_steps(graph, carrying(), true);
  EXPECT_EQ(riders(graph, list), 2);
  const auto first = std::ranges::find_if(list.steps, [](const Step& step) { return step.kind == Step::Kind::group; });
  ASSERT_NE(first, list.steps.end());
  std::vector<Op> written;
  for (const int value : first->writes) written.push_back(graph.nodes[list.node_of[value]].op);
  EXPECT_THAT(written, ::testing::UnorderedElementsAre(Op::relu, Op::cast));
  EXPECT_EQ(riders(graph, list_steps(graph, testing::target, true)), 0);
}

TEST(Riding, StatisticsOfTheSumsRide) {
  GraphBuilder g({.training = true});
  const Value sums =
      conv2d(g.input("codes", {{2, 32, 32, 16}, DType::u8}), g.input("weights", {{1, 1, 16, 16}, DType::s8}), {});
  g.fetch("largest", reduce_max(cast(sums, DType::f32)));
  const Graph graph = finish(g.graph());
  EXPECT_EQ(riders(graph, list_steps(graph, carrying(), true)), 1);
}

}  // namespace
}  // namespace qfw::lowering

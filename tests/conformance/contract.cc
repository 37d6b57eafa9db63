#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "conformance/runner.h"
#include "passes/finish.h"
#include "qfw/error.h"
#include "support/replicas.h"

/// What backend.h promises beyond numbers.
namespace qfw::conformance {
namespace {

using test::EqualReplicas;

class Contract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const std::string reason = missing(GetParam()); !reason.empty())
      GTEST_SKIP() << "backend " << GetParam() << " is not here: " << reason;
    backend_ = make_backend(GetParam());
  }

  /// Adds `x` to the state `layer/total` and fetches the new value.
  static Graph adder() {
    GraphBuilder g({.training = true});
    const Value x = g.input("x", vector, true);
    const auto scope = g.scope("layer");
    g.fetch("total", g.assign(g.state("total", vector.shape), g.state("total", vector.shape) + x));
    return finish(g.graph());
  }
  /// Fetches twice the same state.
  static Graph reader() {
    GraphBuilder g({.training = false});
    const auto scope = g.scope("layer");
    g.fetch("twice", g.state("total", vector.shape) * 2);
    return finish(g.graph());
  }

  template <class F>
  static std::string error_of(F f) {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  static inline const TensorType vector{{5}, DType::f32};
  std::unique_ptr<Backend> backend_;
  EqualReplicas alone_;
};

TEST_P(Contract, NamesAVariableThatWasNeverWritten) {
  const auto executable = backend_->compile(reader(), alone_);
  Tensor out(vector);
  const std::vector<HostTensor> fetches = {out.host()};
  EXPECT_THAT(error_of([&] { executable->run({}, {}, fetches); }), testing::HasSubstr("layer/total"));
}

TEST_P(Contract, SharesVariablesAmongExecutables) {
  const auto add = backend_->compile(adder(), alone_), read = backend_->compile(reader(), alone_);
  Tensor total(vector), x(vector), twice(vector), back(vector);
  for (int i = 0; i < 5; ++i) total.set(i, i), x.set(i, 10);
  backend_->write("layer/total", total.view());
  const std::vector<HostView> feeds = {x.view()};
  const std::vector<HostTensor> totals = {total.host()}, doubled = {twice.host()};
  add->run({}, feeds, totals);
  add->run({.index = 1}, feeds, totals);
  read->run({}, {}, doubled);
  backend_->read("layer/total", back.host());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(total[i], i + 20) << i;
    EXPECT_EQ(back[i], i + 20) << i;
    EXPECT_EQ(twice[i], 2 * i + 40) << i;
  }
}

TEST_P(Contract, WhatIsPrefetchedServesOneRun) {
  const auto add = backend_->compile(adder(), alone_);
  Tensor total(vector), first(vector), second(vector);
  for (int i = 0; i < 5; ++i) total.set(i, 0), first.set(i, i + 1), second.set(i, 100);
  backend_->write("layer/total", total.view());
  const std::vector<HostView> of_first = {first.view()}, of_second = {second.view()}, of_none = {{vector, {}}};
  const std::vector<HostTensor> fetches = {total.host()};
  const auto total_after = [&](const std::vector<HostView>& upcoming, const std::vector<HostView>& feeds) {
    if (!upcoming.empty()) add->prefetch(upcoming);
    add->run({}, feeds, fetches);
    return total[4];
  };
  EXPECT_EQ(total_after(of_second, of_first), 5);
  EXPECT_EQ(total_after(of_first, of_second), 105) << "what was prefetched";
  EXPECT_EQ(total_after(of_none, of_first), 110);
  first.set(4, 1000);
  EXPECT_EQ(total_after({}, of_first), 1110) << "the same memory, not prefetched, is read anew";
  EXPECT_EQ(total_after(of_second, of_first), 2110);
  EXPECT_EQ(total_after({}, of_first), 3110) << "another was prefetched";
  second.set(4, 10000);
  EXPECT_EQ(total_after({}, of_second), 13110) << "that is not kept for later runs";
}

TEST_P(Contract, RefusesUnknownNamesAndOtherTypes) {
  const auto executable = backend_->compile(reader(), alone_);
  Tensor right(vector), wrong({{6}, DType::f32});
  EXPECT_THAT(error_of([&] { backend_->write("layer/other", right.view()); }), testing::HasSubstr("layer/other"));
  EXPECT_THAT(error_of([&] { backend_->read("layer/other", right.host()); }), testing::HasSubstr("layer/other"));
  EXPECT_THAT(error_of([&] { backend_->write("layer/total", wrong.view()); }),
              testing::AllOf(testing::HasSubstr("layer/total"), testing::HasSubstr("f32[5]"), testing::HasSubstr("f32[6]")));
  EXPECT_THAT(error_of([&] { backend_->read("layer/total", wrong.host()); }), testing::HasSubstr("layer/total"));
}

TEST_P(Contract, RefusesFeedsAndFetchesOfOtherTypes) {
  const auto add = backend_->compile(adder(), alone_);
  Tensor right(vector), wrong({{5}, DType::s32});
  backend_->write("layer/total", right.view());
  const std::vector<HostView> good_feeds = {right.view()}, bad_feeds = {wrong.view()};
  Tensor out(vector);
  const std::vector<HostTensor> good_fetches = {out.host()}, bad_fetches = {wrong.host()};
  EXPECT_NE(error_of([&] { add->run({}, bad_feeds, good_fetches); }), "");
  EXPECT_NE(error_of([&] { add->run({}, good_feeds, bad_fetches); }), "");
  EXPECT_NE(error_of([&] { add->run({}, {}, good_fetches); }), "");
}

TEST_P(Contract, DescribesItselfAndItsTime) {
  EXPECT_NE(backend_->describe(), "");
  EXPECT_GE(backend_->threads(), 1);
  const auto add = backend_->compile(adder(), alone_);
  Tensor total(vector), x(vector);
  for (int i = 0; i < 5; ++i) total.set(i, i), x.set(i, 1);
  backend_->write("layer/total", total.view());
  const std::vector<HostView> feeds = {x.view()};
  const std::vector<HostTensor> fetches = {total.host()};
  add->run({}, feeds, fetches);
  EXPECT_TRUE(add->intervals().empty());
  add->profile(true);
  const auto before = std::chrono::steady_clock::now();
  for (int step = 1; step < 3; ++step) add->run({.index = step}, feeds, fetches);
  const auto after = std::chrono::steady_clock::now();
  const auto tasks = add->tasks();
  const auto intervals = add->intervals();
  ASSERT_FALSE(tasks.empty());
  ASSERT_EQ(intervals.size(), tasks.size());
  auto last = before;
  for (const auto& [begin, end] : intervals) {  // one after the other, within the run
    EXPECT_LE(last, begin);
    EXPECT_LE(begin, end);
    last = end;
  }
  EXPECT_LE(last, after);
  std::vector<int> nodes;
  std::int64_t bytes = 0;
  for (const auto& task : tasks) {
    EXPECT_NE(task.kind, "");
    EXPECT_TRUE(std::ranges::is_sorted(task.nodes));
    nodes.insert(nodes.end(), task.nodes.begin(), task.nodes.end());
    bytes += task.bytes;
  }
  const Graph graph = adder();
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].op != Op::add) continue;
    EXPECT_THAT(nodes, testing::Contains(static_cast<int>(i)));
  }
  EXPECT_GE(bytes, 3 * 5 * 4) << "of two operands and their sum";
  add->profile(false);
  add->run({.index = 3}, feeds, fetches);
  EXPECT_TRUE(add->intervals().empty());
  EXPECT_GE(add->arena_bytes(), 0);
  for (const auto& tensor : add->held()) {
    EXPECT_EQ(tensor.bytes, static_cast<std::int64_t>(graph.type(tensor.use).bytes()));
    EXPECT_TRUE(0 <= tensor.first && tensor.first <= tensor.last && tensor.last < static_cast<int>(tasks.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Contract, testing::ValuesIn(backends()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace qfw::conformance

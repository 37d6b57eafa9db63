#include "cuda/joined_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/group_kernel.h"
#include "emulation.h"
#include "qfw/error.h"
#include "recipes.h"
#include "unit/fused/random_graph.h"

namespace qfw::cuda::testing {
namespace {

using lowering::Step;
using lowering::StepList;

/// The names of each group's kernels; or, to see that nothing but dependences keeps steps apart, one name for all.
std::vector<std::string> codes_of(const Graph& graph, const StepList& list, bool one_for_all) {
  std::vector<std::string> codes;
  for (const Step& step : list.steps) {
    if (step.kind != Step::Kind::group || step.node >= 0) {
      codes.emplace_back();
    } else if (one_for_all) {
      codes.emplace_back("same");
    } else {
      const Job job = job_of(graph, *step.group);
      codes.push_back(GroupCode(job.program, dtypes(job.inputs), dtypes(job.outputs)).names());
    }
  }
  return codes;
}

struct Counts {
  int steps = 0, joined = 0;
};

/// Nothing is lost, nothing runs before what it needs, what is at one place in neither part keeps its order.
Counts expect_joined_rightly(const Graph& graph, bool alone, bool one_for_all) {
  const StepList before = lowering::list_steps(graph, target(), alone);
  const std::vector<std::string> codes = codes_of(graph, before, one_for_all);
  const JoinedSteps joined = join_steps(graph, lowering::list_steps(graph, target(), alone), codes, target());
  EXPECT_EQ(joined.list.steps.size(), joined.members.size());
  std::vector<int> writer(before.values, -1), order;
  for (int s = 0; s < static_cast<int>(before.steps.size()); ++s) {
    for (const int value : before.steps[s].writes) writer[value] = s;
  }
  std::vector<bool> done(before.steps.size(), false);
  for (std::size_t at = 0; at < joined.members.size(); ++at) {
    std::vector<int> members;
    for (const JoinedSteps::Member& member : joined.members[at]) members.push_back(member.step);
    std::vector<int> reads, writes;
    for (const int s : members) {
      const Step& step = before.steps[s];
      EXPECT_FALSE(done[s]);
      EXPECT_EQ(codes[s], codes[members.front()]);
      EXPECT_TRUE(members.size() == 1 || !codes[s].empty());
      for (const int value : step.reads) EXPECT_TRUE(writer[value] < 0 || done[writer[value]]) << label_of(graph, step);
      reads.insert(reads.end(), step.reads.begin(), step.reads.end());
      writes.insert(writes.end(), step.writes.begin(), step.writes.end());
    }
    EXPECT_EQ(joined.list.steps[at].reads, reads);
    EXPECT_EQ(joined.list.steps[at].writes, writes);
    for (const int s : members) {
      done[s] = true;  // after all have read: none reads another's
      if (codes[s].empty()) order.push_back(s);
    }
  }
  EXPECT_TRUE(std::ranges::all_of(done, [](bool each) { return each; }));
  EXPECT_TRUE(std::ranges::is_sorted(order));
  const lowering::Plan plan = place(graph, joined.list, target(), [](int, int, int) { return false; });
  require_apart(graph, joined, plan);
  return {static_cast<int>(before.steps.size()), static_cast<int>(joined.list.steps.size())};
}

TEST(JoinedSteps, OfRecipesKeepDependences) {
  for (const std::string recipe : {"resnet50_w4a4.ini", "quickstart.ini"}) {
    for_each_graph(recipe, false, [&](const Graph& graph, Session&) {
      SCOPED_TRACE(recipe);
      for (const bool alone : {true, false}) {
        const Counts counts = expect_joined_rightly(graph, alone, false);
        const bool deep = recipe.find("resnet50") != recipe.npos && graph.training;
        EXPECT_LT(counts.joined, (deep ? 0.8 : 1.01) * counts.steps);
        expect_joined_rightly(graph, alone, true);
      }
    });
  }
}

TEST(JoinedSteps, OfRandomGraphsKeepDependences) {
  int joined = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const Counts counts = expect_joined_rightly(cpu::testing::random_graph(seed).graph, true, true);
    joined += counts.steps - counts.joined;
  }
  EXPECT_GT(joined, 20);
}

TEST(JoinedSteps, ThatMeetInMemoryAreRefused) {
  cpu::testing::Maker m;
  for (const std::int64_t n : {100, 300, 200}) {
    m.fetch(m.add(Op::relu, {m.input({n})}));
    m.fetch(m.add(Op::reduce_max, {m.graph.fetches.back().use}, Reduce{{}}));
  }
  StepList list = lowering::list_steps(m.graph, target(), true);
  const std::vector<std::string> codes = codes_of(m.graph, list, false);
  const JoinedSteps joined = join_steps(m.graph, std::move(list), codes, target());
  lowering::Plan plan = place(m.graph, joined.list, target(), [](int, int, int) { return false; });
  require_apart(m.graph, joined, plan);
  const auto of_several =
      std::ranges::find_if(plan.steps, [&](const auto& placed) { return joined.members[placed.step].size() > 1; });
  ASSERT_NE(of_several, plan.steps.end());
  const auto refusal = [&]() -> std::string {
    try {
      require_apart(m.graph, joined, plan);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  const lowering::Plan right = plan;
  of_several->outputs.back().offset = of_several->outputs.front().offset + 4;
  EXPECT_THAT(refusal(), ::testing::HasSubstr("groups that run at once meet at"));
  plan = right;
  of_several->outputs.back() = of_several->inputs.front();
  EXPECT_THAT(refusal(), ::testing::HasSubstr("groups that run at once meet at"));
  plan = right;
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace qfw::cuda::testing

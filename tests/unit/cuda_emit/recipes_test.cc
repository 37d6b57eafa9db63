#include "recipes.h"

#include <gtest/gtest.h>

#include "emulation.h"

namespace qfw::cuda::testing {
namespace {

/// Each sequence of kernels twice at most: with the extents that it is met with first, and with others.
TEST(Recipes, EqualInterpreter) {
  std::map<std::vector<std::string>, int> met;
  std::set<std::string> programs;
  std::vector<std::pair<std::string, Job>> jobs;
  Kernels kernels;
  int groups = 0;
  for (const std::string& recipe : recipes()) {
    for_each_group(recipe, true, [&](const Graph& graph, const lowering::Step& step) {
      ++groups;
      if (!programs.insert(lowering::to_string(lowering::program_of(graph, *step.group))).second) return;
      Job job = job_of(graph, *step.group);
      std::vector<std::string> names;
      for (const EmittedLaunch& launch : job.emitted.launches) names.push_back(launch.source.name);
      if (++met[names] > 2) return;
      kernels.add(job.emitted);
      jobs.emplace_back(recipe, std::move(job));
    });
  }
  RecordProperty("groups", groups);
  RecordProperty("kernels", static_cast<int>(kernels.count()));
  EXPECT_GT(kernels.count(), 100u);
  kernels.compile();
  std::mt19937 random(1);
  for (const auto& [recipe, job] : jobs) {
    SCOPED_TRACE(recipe + "\n" + lowering::to_string(job.program));
    expect_right(kernels, job, random);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace qfw::cuda::testing

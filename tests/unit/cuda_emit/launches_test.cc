#include <fmt/format.h>
#include <gtest/gtest.h>

#include "counting_device.h"
#include "emulation.h"
#include "recipes.h"

namespace qfw::cuda::testing {
namespace {

bool is_group(const std::string& kernel) { return kernel.starts_with("group_") || kernel.starts_with("groups_"); }

/// What a step gives to the device.
struct Work {
  int groups = 0, others = 0, products = 0, copies = 0;

  int all() const { return groups + others + products + copies; }
};

Work work_of(const CountingDevice& counts) {
  Work work{.products = counts.products, .copies = counts.copies};
  for (const auto& [kernel, times] : counts.launches) (is_group(kernel) ? work.groups : work.others) += times;
  return work;
}

/// Launches of a step's groups, were each launched by itself.
int launches_apart(const Graph& graph) {
  int launches = 0;
  for (const lowering::Step& step : lowering::list_steps(graph, target(), true).steps) {
    if (step.kind == lowering::Step::Kind::group && step.node < 0) {
      launches += static_cast<int>(job_of(graph, *step.group).emitted.launches.size());
    }
  }
  return launches;
}

bool is_written(const Instruction& instruction) {
  return instruction.task.nodes.size() > 0 && std::ranges::any_of(instruction.outputs, [](const lowering::Place& place) {
           return place.home == lowering::Place::Home::variable;
         });
}

/// The table that docs/cuda.md has.
TEST(Launches, OfResNet50AreFewerThanItsGroups) {
  int phase = 0;
  for_each_graph("resnet50_w4a4.ini", false, [&](const Graph& graph, Session& session) {
    if (!graph.training) return;
    Counted counted(graph, session.replicas().communicator());
    counted.run();
    const Work work = work_of(counted.device());
    Work apart = work;
    apart.groups = launches_apart(graph);
    const auto writing = std::ranges::count_if(counted.program.instructions, is_written);
    fmt::print(
        "phase {}: {} launches, with each group by itself {}; groups {} of {}, own kernels {}, products {}, copies {}; {} "
        "instructions write variables; arena {} MB\n",
        phase, work.all(), apart.all(), work.groups, apart.groups, work.others, work.products, work.copies, writing,
        counted.program.arena_bytes >> 20);
    RecordProperty(fmt::format("launches_{}", phase), work.all());
    RecordProperty(fmt::format("launches_apart_{}", phase), apart.all());
    EXPECT_LT(work.all(), 0.75 * apart.all());
    EXPECT_LT(work.groups, 0.65 * apart.groups);
    ++phase;
  });
  EXPECT_EQ(phase, 3);
}

}  // namespace
}  // namespace qfw::cuda::testing

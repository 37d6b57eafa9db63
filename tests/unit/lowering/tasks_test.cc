#include "qfw/lowering/tasks.h"

#include <gmock/gmock.h>

#include "graphs.h"

namespace qfw::lowering {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Executable::Task> planned_tasks(const Graph& graph, const Target& target, bool alone) {
  const StepList list = list_steps(graph, target, alone);
  return tasks_of(graph, list, place(graph, list, target, [](int, int, int) { return false; }));
}

TEST(Tasks, OfAPassAreItsNodesAndTheTensorsInMemory) {
  const Graph graph = testing::normalised();
  const auto tasks = planned_tasks(graph, testing::target, true);
  const std::int64_t image = 4 * 16 * 16 * 32 * 4, channels = 32 * 4;
  ASSERT_EQ(tasks.size(), 6);
  EXPECT_THAT(tasks[0].nodes, ElementsAre(2));
  EXPECT_EQ(tasks[0].bytes, image + 2 * channels) << "moments";
  EXPECT_EQ(tasks[3].bytes, 2 * image + 2 * channels) << "normalised by two rows";
  EXPECT_THAT(tasks[4].nodes, IsEmpty());
  EXPECT_EQ(tasks[4].bytes, 2 * image) << "the fetch";
  EXPECT_EQ(tasks[5].bytes, 2 * channels) << "the variable";
}

TEST(Tasks, OfAMatmulThatCarriesItsPassAreBoth) {
  const Graph graph = testing::quantized_pair();
  const Target carries{.may_anchor = [](const Graph&, const Node& node) { return node.op == Op::conv2d; }};
  const auto tasks = planned_tasks(graph, carries, true);
  const auto apart = planned_tasks(graph, testing::target, true);
  ASSERT_EQ(tasks.size() + 1, apart.size());
  int convolution = 0;
  while (graph.nodes[static_cast<std::size_t>(convolution)].op != Op::conv2d) ++convolution;
  EXPECT_THAT(tasks[0].nodes, Contains(convolution));
  EXPECT_GT(tasks[0].nodes.size(), 3);
  EXPECT_EQ(tasks[0].bytes, apart[0].bytes + apart[1].bytes - 2 * 2 * 32 * 32 * 16 * 4) << "the sums are never in memory";
}

TEST(Tasks, AReductionIsStartedAndWaitedFor) {
  GraphBuilder g({});
  const Value w = g.parameter("w", {64, 64}, Init::zeros());
  g.assign(w, w - all_reduce(w * 0.5, Across::mean));
  const Graph graph = finish(g.graph(), 2);
  const auto tasks = planned_tasks(graph, testing::target, false);
  std::vector<std::int64_t> bytes;
  for (const auto& task : tasks) {
    if (task.nodes.size() == 1 && graph.nodes[static_cast<std::size_t>(task.nodes[0])].op == Op::all_reduce) {
      bytes.push_back(task.bytes);
    }
  }
  EXPECT_THAT(bytes, ElementsAre(2 * 64 * 64 * 4, 0)) << "waiting moves nothing";
}

}  // namespace
}  // namespace qfw::lowering

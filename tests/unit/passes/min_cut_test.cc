#include "passes/min_cut.h"

#include <gmock/gmock.h>

#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace qfw {
namespace {

using ::testing::ElementsAre;

TEST(MinCut, TakesTheCheapestOfAChainAndTheFirstOfEqualOnes) {
  MinCut cut(4);
  for (int vertex = 0; vertex < 4; ++vertex) cut.costs(vertex, vertex == 0 ? 5 : 3);
  for (int vertex = 0; vertex < 3; ++vertex) cut.leads(vertex, vertex + 1);
  cut.begins(0);
  cut.ends(3);
  EXPECT_THAT(cut.run(), ElementsAre(false, true, false, false));
}

TEST(MinCut, TakesSourcesAndTargetsThemselves) {
  MinCut cut(3);
  cut.costs(0, 2);
  cut.costs(1, 7);
  cut.costs(2, 7);
  cut.leads(0, 1);
  cut.begins(0);
  cut.begins(2);
  cut.ends(1);
  cut.ends(2);
  EXPECT_THAT(cut.run(), ElementsAre(true, false, true));
}

/// Vertices that can be reached from a source without any that is taken.
bool separates(const std::vector<bool>& taken, const std::vector<std::pair<int, int>>& edges, const std::vector<bool>& sources,
               const std::vector<bool>& targets) {
  std::vector<bool> reached(taken.size());
  for (std::size_t i = 0; i < taken.size(); ++i) {  // edges lead to larger numbers
    bool is_reached = sources[i];
    for (const auto& [from, to] : edges) {
      if (static_cast<std::size_t>(to) == i) is_reached = is_reached || reached[static_cast<std::size_t>(from)];
    }
    reached[i] = is_reached && !taken[i];
    if (reached[i] && targets[i]) return false;
  }
  return true;
}

TEST(MinCut, IsAsCheapAsTheBestOfAllSets) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    constexpr int count = 8;
    MinCut cut(count);
    std::vector<std::int64_t> costs;
    std::vector<std::pair<int, int>> edges;
    std::vector<bool> sources, targets;
    for (int vertex = 0; vertex < count; ++vertex) {
      costs.push_back(static_cast<std::int64_t>(random() % 9));
      cut.costs(vertex, costs.back());
      sources.push_back(random() % 3 == 0);
      targets.push_back(random() % 3 == 0);
      if (sources.back()) cut.begins(vertex);
      if (targets.back()) cut.ends(vertex);
      for (int to = vertex + 1; to < count; ++to) {
        if (random() % 3 != 0) continue;
        edges.emplace_back(vertex, to);
        cut.leads(vertex, to);
      }
    }
    const auto cost = [&](const std::vector<bool>& taken) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < taken.size(); ++i) sum += taken[i] ? costs[i] : 0;
      return sum;
    };
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    for (unsigned set = 0; set < 1u << count; ++set) {
      std::vector<bool> taken;
      for (unsigned vertex = 0; vertex < count; ++vertex) taken.push_back((set >> vertex & 1) != 0);
      if (separates(taken, edges, sources, targets)) best = std::min(best, cost(taken));
    }
    const std::vector<bool> found = cut.run();
    EXPECT_TRUE(separates(found, edges, sources, targets)) << round;
    EXPECT_EQ(cost(found), best) << round;
  }
}

}  // namespace
}  // namespace qfw

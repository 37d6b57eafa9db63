#include "passes/min_cut.h"

#include <algorithm>
#include <limits>

namespace qfw {

namespace {

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max() / 4;
constexpr int source = 0, target = 1;

}  // namespace

// A vertex is an edge from its entry to its exit that lets through what it costs (Ford & Fulkerson 1956): the greatest flow
// fills the cheapest cut. The flow is Dinic's.
MinCut::MinCut(int vertices) : vertices_(vertices), leaving_(static_cast<std::size_t>(2 + 2 * vertices)) {}

void MinCut::costs(int vertex, std::int64_t cost) { connect(entry(vertex), exit(vertex), cost); }
void MinCut::leads(int from, int to) { connect(exit(from), entry(to), unlimited); }
void MinCut::begins(int vertex) { connect(source, entry(vertex), unlimited); }
void MinCut::ends(int vertex) { connect(exit(vertex), target, unlimited); }

void MinCut::connect(int from, int to, std::int64_t room) {
  leaving_[static_cast<std::size_t>(from)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({to, room});
  leaving_[static_cast<std::size_t>(to)].push_back(static_cast<int>(edges_.size()));
  edges_.push_back({from, 0});
}

std::vector<bool> MinCut::run() {
  while (find_levels()) {
    next_.assign(leaving_.size(), 0);
    while (push(source, unlimited) > 0) {
    }
  }
  std::vector<bool> taken(static_cast<std::size_t>(vertices_));
  for (int vertex = 0; vertex < vertices_; ++vertex) {
    taken[static_cast<std::size_t>(vertex)] =
        level_[static_cast<std::size_t>(entry(vertex))] >= 0 && level_[static_cast<std::size_t>(exit(vertex))] < 0;
  }
  return taken;
}

/// Whether the target can still be reached.
bool MinCut::find_levels() {
  level_.assign(leaving_.size(), -1);
  level_[source] = 0;
  std::vector<int> reached{source};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto from = static_cast<std::size_t>(reached[i]);
    for (const int number : leaving_[from]) {
      const Edge& edge = edges_[static_cast<std::size_t>(number)];
      if (edge.room == 0 || level_[static_cast<std::size_t>(edge.to)] >= 0) continue;
      level_[static_cast<std::size_t>(edge.to)] = level_[from] + 1;
      reached.push_back(edge.to);
    }
  }
  return level_[target] >= 0;
}

std::int64_t MinCut::push(int from, std::int64_t most) {
  if (from == target) return most;
  const auto at = static_cast<std::size_t>(from);
  for (; next_[at] < leaving_[at].size(); ++next_[at]) {
    const int number = leaving_[at][next_[at]];
    Edge& edge = edges_[static_cast<std::size_t>(number)];
    if (edge.room == 0 || level_[static_cast<std::size_t>(edge.to)] != level_[at] + 1) continue;
    const std::int64_t flow = push(edge.to, std::min(most, edge.room));
    if (flow == 0) continue;
    edge.room -= flow;
    edges_[static_cast<std::size_t>(number ^ 1)].room += flow;
    return flow;
  }
  return 0;
}

}  // namespace qfw

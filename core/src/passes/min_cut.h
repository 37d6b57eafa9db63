#pragma once

#include <cstdint>
#include <vector>

namespace qfw {

/// The cheapest set of vertices of a directed graph without which nothing leads from its sources to its targets.
class MinCut {
 public:
  explicit MinCut(int vertices);

  void costs(int vertex, std::int64_t cost);  ///< to take it; at least 0
  void leads(int from, int to);
  void begins(int vertex);  ///< a source; it may be taken itself
  void ends(int vertex);    ///< a target; so may this one

  /// Whether each vertex is taken. Of several cheapest sets the one that is nearest to the sources.
  std::vector<bool> run();

 private:
  struct Edge {
    int to = 0;
    std::int64_t room = 0;  ///< what may still flow; the edge back is the next one, or the one before
  };

  static int entry(int vertex) { return 2 + 2 * vertex; }
  static int exit(int vertex) { return entry(vertex) + 1; }
  void connect(int from, int to, std::int64_t room);
  bool find_levels();
  std::int64_t push(int from, std::int64_t most);

  int vertices_;
  std::vector<Edge> edges_;
  std::vector<std::vector<int>> leaving_;  ///< of each point: edges
  std::vector<int> level_;                 ///< of each point: steps from the source; -1: not reached
  std::vector<std::size_t> next_;          ///< of each point: the edge to try
};

}  // namespace qfw

#pragma once

#include <span>
#include <vector>

#include "graph/builder_access.h"

namespace qfw {

/// Copies a graph into a builder node by node, so that a pass only has to say what it does differently.
class Replay {
 public:
  Replay(const Graph& from, GraphBuilder& to) : from_(from), to_(to), values_(from.nodes.size()) {}

  /// The copy of a value of the old graph.
  Value at(Use use) const { return values_[use.node][use.output]; }
  std::vector<Value> inputs(const Node& node) const;

  void copy(int node);                                ///< the same node again, under its own path
  void replace(int node, std::vector<Value> outputs)  ///< what stands for it instead
  {
    values_[node] = std::move(outputs);
  }

 private:
  const Graph& from_;
  GraphBuilder& to_;
  std::vector<std::vector<Value>> values_;  ///< by node, by output
};

}  // namespace qfw

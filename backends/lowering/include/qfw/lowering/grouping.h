#pragma once

#include <optional>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/target.h"

/// Which nodes of a graph are computed together, and in which order everything runs.
namespace qfw::lowering {

/// One pass over memory: elementwise nodes, constants, broadcasts and reductions over one space of indices.
struct Group {
  std::vector<int> nodes;    ///< topological; a node may stand in several groups, which then each compute it
  std::vector<Use> inputs;   ///< read from memory, each once
  std::vector<Use> outputs;  ///< written to memory; none of them is also an input
  /// A matmul (see Target::may_anchor) whose output the group reads element for element, and which nothing else that it reads
  /// depends on: the group can be computed tile by tile as the matmul's output is. -1: none.
  int anchor = -1;
};

/// Either one node that the fused engine does not compute or one group.
struct Item {
  int node = -1;
  std::optional<Group> group;
};

/// An order of execution. Each Use that a single node, an update, a fetch or a group reads is an output of exactly one item,
/// which stands before. Sources other than constants (input, variable, step, random_uniform) are single nodes, and so are
/// reshapes and transposes whose result is needed in memory; groups read through reshapes: their inputs are then the reshape's
/// operand. Outputs of nodes nobody reads (the variance of a moments node, say) may be missing.
std::vector<Item> group_nodes(const Graph& graph, const Target& target);

/// The group that computes one node alone: elementwise, view (transpose included), constant or reduction.
Group group_of(const Graph& graph, int node);

}  // namespace qfw::lowering

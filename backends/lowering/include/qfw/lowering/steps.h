#pragma once

#include <string>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/grouping.h"

namespace qfw::lowering {

/// One thing that an executable does, before anything has a place in memory. Tensors are numbered through the whole graph as
/// values; what is another's memory under another shape shares its number.
struct Step {
  enum class Kind {
    node,          ///< one node's kernel
    group,         ///< a fused pass; with a node: that matmul, and the pass on its output as it is made
    reduce_start,  ///< begins to reduce several tensors over replicas; what it reads is free again when it returns
    reduce_wait,   ///< reads what a reduce_start writes: only then it is there
    fetch,         ///< a copy to the caller
    save,          ///< a variable's old value, put aside before it is overwritten
    store          ///< a variable's next value, to where the variable lies
  };
  Kind kind = Kind::node;
  /// Of node; of a group that rides, its anchor, whose output is never in memory as a whole: `reads` are the matmul's, then the
  /// group's without it; of a reduction the first all_reduce of the bucket.
  int node = -1;
  std::vector<Use> uses;         ///< of a reduction: its results
  const Group* group = nullptr;  ///< of group; owned by the list
  /// Of fetch: the fetch; of save and store: the position in Graph::updates; of a reduction: its number, for start and wait.
  int index = -1;
  std::vector<int> reads, writes;
};

/// What a step of a graph does, in order.
struct StepList {
  std::vector<Item> items;  ///< owns the groups
  std::vector<Step> steps;
  std::vector<int> first_value;  ///< of each node: the number of its first output
  std::vector<int> root;         ///< of each value: the number of the tensor whose memory it is
  std::vector<int> node_of;      ///< of each value; -1 for a saved copy
  int values = 0;                ///< numbers in use, saved copies included
  int reductions = 0;            ///< that are started and waited for

  int value(Use use) const { return root[first_value[use.node] + use.output]; }
};

/// The steps of a finished graph; `alone`: there is one replica, so that nothing is reduced.
StepList list_steps(const Graph& graph, const Target& target, bool alone);

/// For people: the nodes and the layer they come from.
std::string label_of(const Graph& graph, const Step& step);

/// One step a line, with the values it reads and writes.
std::string to_string(const Graph& graph, const StepList& list);

}  // namespace qfw::lowering

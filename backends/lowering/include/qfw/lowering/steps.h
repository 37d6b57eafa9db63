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
    node,        ///< one node's kernel
    group,       ///< a fused pass
    all_reduce,  ///< over replicas, several tensors in one call
    fetch,       ///< a copy to the caller
    save,        ///< a variable's old value, put aside before it is overwritten
    store        ///< a variable's next value, to where the variable lies
  };
  Kind kind = Kind::node;
  int node = -1;                 ///< of node; of all_reduce the first of the bucket
  std::vector<Use> uses;         ///< of all_reduce: what it writes
  const Group* group = nullptr;  ///< of group; owned by the list
  int index = -1;                ///< of fetch: the fetch; of save and store: the position in Graph::updates
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

  int value(Use use) const { return root[first_value[use.node] + use.output]; }
};

/// The steps of a finished graph; `alone`: there is one replica, so that nothing is reduced.
StepList list_steps(const Graph& graph, const Target& target, bool alone);

/// For people: the nodes and the layer they come from.
std::string label_of(const Graph& graph, const Step& step);

/// One step a line, with the values it reads and writes.
std::string to_string(const Graph& graph, const StepList& list);

}  // namespace qfw::lowering

#pragma once

#include <vector>

#include "fused/fusion.h"
#include "qfw/communicator.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// What a step does, in order, before anything has a place in memory. Tensors are numbered through the whole graph; those that
/// are another's memory under another shape share its number ("root").
struct Task {
  enum class Kind { node, group, all_reduce, fetch, save, store };
  Kind kind = Kind::node;
  int node = -1;          ///< of node; of all_reduce, the first of the bucket
  std::vector<Use> uses;  ///< of all_reduce: what it writes
  const FusedGroup* group = nullptr;
  int index = -1;  ///< of fetch: the fetch; of save and store: position in Graph::updates
  std::vector<int> reads, writes;
};

struct TaskList {
  std::vector<WorkItem> items;  ///< owns the groups
  std::vector<Task> tasks;
  std::vector<int> first_value;  ///< of each node
  std::vector<int> root;         ///< of each value
  std::vector<int> node_of;      ///< of each value
  int values = 0;                ///< numbers in use, saved copies included

  int value(Use use) const { return root[first_value[use.node] + use.output]; }
};

TaskList list_tasks(const Graph& graph, bool alone);

}  // namespace qfw::cpu

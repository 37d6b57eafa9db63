#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "qfw/graph.h"

/// From a finished graph to a list of steps with places in memory: what lies between the core's passes and a backend's kernels
/// and knows nothing of devices. Read in this order: views, materialize, grouping, order, program, steps, plan.
namespace qfw::lowering {

/// What a backend tells about itself: all that the decisions here depend on besides the graph.
struct Target {
  /// Of every tensor in memory, in bytes: a cache line, and the widest vector.
  std::size_t alignment = 64;

  /// Elements up to which a tensor counts as small: a pass over it costs its start, not its memory.
  std::int64_t small_count = 4096;

  /// When a value that several passes read is computed in each of them instead of being written to memory once.
  struct Recomputing {
    std::size_t most_leaves = 3;       ///< large tensors it may be made from
    double most_operations = 24;       ///< and arithmetic per element, in additions (OpDefinition::cost)
    double bytes_per_operation = 0.6;  ///< what an addition costs, as memory traffic
    double bias = 1.3;                 ///< towards computing again: memory that is not used costs nothing
  } recomputing;

  /// Readers up to which what one reads is a reason to share a pass: a learning rate, which all updates read, is none.
  std::size_t most_neighbours = 64;

  /// Tensors up to `small_bytes` are reduced over replicas together, about `bytes` in one call, which costs more than they do.
  struct Buckets {
    std::size_t small_bytes = 256 << 10, bytes = 1 << 20;
    std::size_t in_flight = 1;  ///< calls that others are computed beside; what reads their results waits as long
  } buckets;

  /// Which nodes (matmuls) may anchor a group: their kernel can run it on each tile of the output while that is in cache. A
  /// group that alone reads the output is then part of the matmul's step. Unset: none, every group is a pass of its own.
  std::function<bool(const Graph& graph, const Node& node)> may_anchor;

  std::size_t aligned(std::size_t bytes) const { return (bytes + alignment - 1) / alignment * alignment; }
};

}  // namespace qfw::lowering

#pragma once

#include <functional>

#include "qfw/builder.h"

namespace qfw {

/// A recorded graph made ready for a backend: assign, straight_through and stop_gradient become what they stand for, all_reduce
/// goes where there is one replica, equal nodes are computed and equal tensors held once, and what nothing needs is left out.
/// Verified.
Graph finish(const Graph& recorded, int replicas = 1);

/// Replaces the composites that `declined` names by simpler ops (see OpDefinition::expand). Takes and returns a finished graph.
Graph expand_composites(const Graph& graph, const std::function<bool(const Node&)>& declined, int replicas = 1);

}  // namespace qfw

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "qfw/graph.h"

namespace qfw {

/// What of a training step's forward pass may be computed a second time, for the backward pass, instead of being kept for it.
/// Each includes those before it. Reductions and random numbers are always kept.
enum class Recompute : std::uint8_t {
  none,
  elementwise,  ///< elementwise ops and views
  integer,      ///< products of integers as well
  all,          ///< all products and pools
};

inline constexpr Recompute recompute_levels[] = {Recompute::none, Recompute::elementwise, Recompute::integer, Recompute::all};
const char* name_of(Recompute how);

/// Takes and returns a finished graph, for so many replicas. It computes the same numbers; where a backend's sums depend on
/// which pass they are in, a model may differ in last bits (docs/numerics.md). A graph without logits, such as one that updates
/// nothing, stays as it is.
///
/// The forward pass is divided into segments (Chen et al. 2016, arXiv 1604.06174) where little leads from one to the next. What
/// does, is kept. Of the rest, the cheapest values are kept from which the backward pass's operands can be computed: a
/// minimum cut. The last segment is kept whole, as the backward pass begins with it. How many segments there are is tried out:
/// that which the estimate finds best.
///
/// The second computation reads what was kept through reshapes with a second operand, the first gradient: no backend takes it
/// for the first one, and as it stands in the graph before the gradients that need it, it is computed with them.
Graph recompute(const Graph& graph, Recompute how, int replicas = 1);

/// Of each node, whether it is part of a second computation.
std::vector<bool> computed_again(const Graph& graph);

}  // namespace qfw

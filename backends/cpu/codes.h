#pragma once

#include "context.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// The same graph, in which kernels that can read codes of at most 8 bits do so, where the graph casts them to bf16 first:
/// those then need not be in memory.
Graph reading_codes(const Graph& graph, const Context& context);

}  // namespace qfw::cpu

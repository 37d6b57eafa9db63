#pragma once

#include <memory>

#include "context.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"

namespace qfw::cuda {

/// Whether a group may ride on the tiles of the node's output.
bool may_be_ridden(const Graph& graph, const Node& node);

/// An integer product and the fused group that reads its output (lowering::Step with both): on its tiles where the group lets
/// it (riding_text.h), else one after the other, the sums in scratch memory. Operands: the product's, then the group's without
/// its output. Equal bits either way, but for sums that may be taken in any order.
std::unique_ptr<Kernel> make_riding(const Graph& graph, int node, const lowering::Group& group, Context& context);

}  // namespace qfw::cuda

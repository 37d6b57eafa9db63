#pragma once

#include "kernel.h"
#include "qfw/lowering/grouping.h"

namespace qfw::cpu {

/// A group made ready to run in one pass over memory, scratch included. Equal bits for any number of threads; where the graph
/// asks for it sums are taken in double in index order, as the reference does. `graph` and `group` need not outlive the call.
std::unique_ptr<Kernel> make_fused(const Graph& graph, const lowering::Group& group, int threads);

}  // namespace qfw::cpu

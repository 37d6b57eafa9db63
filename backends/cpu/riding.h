#pragma once

#include <memory>

#include "context.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"

namespace qfw::cpu {

/// A convolution and the fused pass that reads its output (lowering::Step with both), slice by slice: threads take slices, and
/// what one writes of the output it reads again while its cache holds it. Operands: the convolution's, then the group's without
/// its output. Equal bits to the two one after the other.
std::unique_ptr<Kernel> make_riding(const Graph& graph, int node, const lowering::Group& group, Context& context);

}  // namespace qfw::cpu

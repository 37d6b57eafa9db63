#pragma once

#include <memory>

#include "context.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"

namespace qfw::cuda {

/// A fused group as the code that emit() makes of it.
std::unique_ptr<Kernel> make_group(const Graph& graph, const lowering::Group& group, Context& context);

}  // namespace qfw::cuda

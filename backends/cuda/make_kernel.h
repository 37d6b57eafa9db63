#pragma once

#include <memory>
#include <vector>

#include "context.h"
#include "kernel.h"
#include "qfw/communicator.h"
#include "qfw/lowering/steps.h"

namespace qfw::cuda {

/// One for each step of the list. Their functions are asked for; the context's loader has yet to load them. What a device
/// cannot do is thrown with the layer's name.
std::vector<std::unique_ptr<Kernel>> make_kernels(const Graph& graph, const lowering::StepList& list, Context& context,
                                                  Communicator& replicas);

}  // namespace qfw::cuda

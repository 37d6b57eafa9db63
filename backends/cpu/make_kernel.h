#pragma once

#include "context.h"
#include "kernel.h"
#include "qfw/lowering/steps.h"

namespace qfw::cpu {

/// One kernel for each step of a list.
std::vector<std::unique_ptr<Kernel>> make_kernels(const Graph& graph, const lowering::StepList& list, Context& context,
                                                  Communicator& replicas);

}  // namespace qfw::cpu

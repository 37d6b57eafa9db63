#pragma once

#include "context.h"
#include "kernel.h"
#include "qfw/lowering/steps.h"

namespace qfw::cpu {

std::unique_ptr<Kernel> make_kernel(const Graph& graph, const lowering::Step& step, Context& context, Communicator& replicas);

}  // namespace qfw::cpu

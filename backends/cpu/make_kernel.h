#pragma once

#include "kernel.h"
#include "session.h"
#include "tasks.h"

namespace qfw::cpu {

std::unique_ptr<Kernel> make_kernel(const Graph& graph, const Task& task, Session& session, Communicator& replicas);

/// For people: the nodes and the layer they come from.
std::string label_of(const Graph& graph, const Task& task);

}  // namespace qfw::cpu

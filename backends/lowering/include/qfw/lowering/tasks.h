#pragma once

#include <vector>

#include "qfw/backend.h"
#include "qfw/lowering/plan.h"

/// What Executable tells of itself, for backends that carry out a plan.
namespace qfw::lowering {

/// The steps of a plan, in its order: their nodes and bytes. How each is carried out adds the backend.
std::vector<Executable::Task> tasks_of(const Graph& graph, const StepList& list, const Plan& plan);

}  // namespace qfw::lowering

#pragma once

#include <vector>

#include "fusion.h"

namespace qfw::cpu {

/// The items in an order of execution: each as late as what needs it allows, except that what frees memory runs at once.
std::vector<WorkItem> in_order(const Graph& graph, std::vector<WorkItem> items);

}  // namespace qfw::cpu

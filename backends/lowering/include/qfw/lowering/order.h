#pragma once

#include <vector>

#include "qfw/lowering/grouping.h"

namespace qfw::lowering {

/// The items in an order of execution: each as late as what needs it allows, except that what frees memory runs at once.
std::vector<Item> in_order(const Graph& graph, std::vector<Item> items);

}  // namespace qfw::lowering

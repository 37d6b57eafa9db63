#pragma once

#include "qfw/backend.h"

namespace qfw::lowering {

/// What Backend::supports answers on this lowering, whatever the device: composites are declined, all_reduce is of f32, and
/// what no reference kernel defines has no meaning at run time.
Backend::Support support_of(const Graph& graph, const Node& node);

}  // namespace qfw::lowering

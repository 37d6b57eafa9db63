#pragma once

#include <functional>

#include "qfw/graph.h"

namespace qfw {

/// Where a value of one graph is in another; empty if it is not there.
using Moved = std::function<Use(Use)>;

/// What the record of a site names; what was empty stays so.
void remap(QuantizedSite& site, const Moved& moved);

/// Appends updates, fetches and sites of `from` to those of `to`, which has its nodes. What is updated or fetched must be
/// there.
void copy_uses(const Graph& from, Graph& to, const Moved& moved);

}  // namespace qfw

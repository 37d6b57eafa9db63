#pragma once

#include "qfw/graph.h"

namespace qfw::cpu {

/// Bounds of a value that hold whatever is fed: from clips to constants and the like, at worst the dtype's own.
struct Range {
  float low, high;
};
Range range_of(const Graph& graph, Use use);

}  // namespace qfw::cpu

#pragma once

#include <cstdint>
#include <span>

#include "qfw/variable.h"

namespace qfw {

/// Fills `values` with a variable's first values, a pure function of (seed, name, Init). `values` has the variable's shape.
void initialize(const Variable& variable, std::uint64_t seed, std::span<float> values);

}  // namespace qfw

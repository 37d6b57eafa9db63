#pragma once

#include <cstddef>

#include "qfw/tensor.h"

namespace qfw::lowering {

/// A number of the type, repeated: what Op::constant is in memory.
void fill_constant(const TensorType& type, double value, std::byte* to);

}  // namespace qfw::lowering

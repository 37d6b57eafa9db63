#pragma once

#include <cstdint>

#include "device.h"

namespace qfw::cuda {

/// A matrix, row after row, to its transpose: weights HWIO are a matrix [H W I, O], and OHWI its transpose. Floats of 16 bits
/// may become f32 on the way. Parameters: from, to, rows, columns, the latter two 64-bit integers.
KernelSource transposition_source(DType from, DType to);
LaunchShape transposition_shape(std::int64_t rows, std::int64_t columns);

}  // namespace qfw::cuda

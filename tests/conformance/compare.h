#pragma once

#include <string>

#include "conformance/data.h"

namespace qfw::conformance {

/// Why `found` is not what is expected, empty if it is. NaN and infinities must stand in the same places.
/// A subnormal number that is not also expected, equal, is an error: results are flushed to zero.
std::string difference(const Tensor& found, const Tensor& expected, const Tolerance& tolerance, bool by_norm);

/// Why agreement with this would prove nothing, empty if it would: nearly all zeros, too few different values. With 0 levels
/// asked for, anything will do.
std::string triviality(const Tensor& expected, int least_levels);

/// Where the bytes of two runs differ, empty if nowhere.
std::string change(const Tensor& first, const Tensor& second);

}  // namespace qfw::conformance

#pragma once

#include <string>
#include <vector>

namespace qfw::parity {

/// Integer products whose operands are as large as codes can be, so that a 16-bit sum of two products saturates: convolutions,
/// also in groups, and dense layers of several shapes, of u8 and of s8, with weights that are all 127, all -128, or alternate.
std::vector<float> extreme_sums(const std::string& backend);
/// The same by arithmetic, without a backend.
std::vector<float> expected_extreme_sums();

}  // namespace qfw::parity

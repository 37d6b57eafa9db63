#pragma once

#include <span>
#include <vector>

#include "qfw/format.h"

namespace qfw::aqt {

/// The original's module paths for our variables: ResidualBlock_<i> counts blocks over all stages, conv_proj is proj_conv, bn_1
/// is bn1, dense is DenseAqt_0; gamma, beta and variance are scale, bias and var; bounds and statistics of a layer's input lie
/// in GetBounds_0.
std::vector<Format::Tensor> weights(std::span<const Variable> variables);

}  // namespace qfw::aqt

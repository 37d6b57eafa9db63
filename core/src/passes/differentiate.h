#pragma once

#include <span>
#include <vector>

#include "qfw/builder.h"

namespace qfw {

/// Reverse-mode differentiation: adds the nodes that compute d loss / d parameter, one Value per entry of `with_respect_to`, of
/// the same shape and f32. `loss` is a scalar. A parameter's gradient is also what reaches its assignments (see
/// GraphBuilder::assign); one that the loss does not depend on gets zeros.
std::vector<Value> differentiate(GraphBuilder& g, Value loss, std::span<const Value> with_respect_to);

}  // namespace qfw

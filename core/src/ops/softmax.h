#pragma once

#include "ops/support.h"

namespace qfw::ops {

/// -log(softmax(logits)) over the last axis in f32, the largest logit subtracted first so that nothing overflows.
Value negative_log_softmax(Value logits);

Value largest_of_row(Value logits);

}  // namespace qfw::ops

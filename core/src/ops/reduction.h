#pragma once

#include "ops/support.h"

namespace qfw::ops {

/// Shape rule: floats of any dtype are reduced to f32 of the shape the attribute Reduce names.
Types infer_reduction(Op op, Inputs inputs, const Attributes& attributes);

/// Reduces to what `keep` leaves over; x itself, as f32, if that is its own shape.
Value reduce(Op op, Value x, Shape to);
Shape kept(const Value& x, Keep keep);

/// Kernel and gradient of reduce_max and reduce_min. A NaN wins. Elements that tie share the gradient evenly.
void evaluate_extreme(const Evaluation& e, bool largest);
Gradients gradient_of_extreme(const Differentiation& d);

}  // namespace qfw::ops

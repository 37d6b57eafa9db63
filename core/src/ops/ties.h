#pragma once

#include "ops/support.h"

namespace qfw::ops {

/// Gradients of minimum and maximum, from masks of where either operand strictly wins.
Gradients gradients_of_chosen(Value gradient, Value first_wins, Value second_wins, Ties ties);

}  // namespace qfw::ops

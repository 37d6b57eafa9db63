#pragma once

#include "vectors.h"

/// exp, log and tanh of floats as qfw/elementary.h has them, in double and step by step the same: equal bits on every
/// instruction set. `to` is not x.
namespace qfw::cpu::x86 {

void emit_exp(Vectors& c, Vectors::Vec to, Vectors::Vec x);
void emit_log(Vectors& c, Vectors::Vec to, Vectors::Vec x);
void emit_tanh(Vectors& c, Vectors::Vec to, Vectors::Vec x);

}  // namespace qfw::cpu::x86

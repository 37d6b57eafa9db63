#pragma once

#include "qfw/graph.h"
#include "qfw/ops.h"

/// From real numbers to codes and back, as google/aqt does it: q = codes(x * s), x^ = q / s. Every formula is float32 and
/// rounds once per op; a scale is a constant for the backward pass.
namespace qfw::aqt {

/// The levels of one operand, and the arithmetic onto them.
class Levels {
 public:
  /// `half_shift` holds for signed operands only; `ties`: the gradient where the clipped value equals a limit.
  Levels(int prec, bool is_signed, bool half_shift, Ties ties)
      : prec_(prec), is_signed_(is_signed), half_shift_(is_signed && half_shift), ties_(ties) {}

  /// What the clipping bound is mapped to: B of signed operands, 2^prec of others.
  float top() const;
  Grid grid() const;
  /// top / (bound + 2^-23), of the bound's shape.
  Value scale(Value bound) const;
  /// Signed: clip to -B..B, then round half up; with half shift floor + 0.5. Others: floor, then clip to 0..2^prec - 1, so that
  /// every value on the first or last level is a tie.
  Value codes(Value scaled) const;
  /// Of signed operands, truncated between the clip and the rounding, as by the reference's cast to int8; no gradient.
  Value truncated_codes(Value scaled) const;

 private:
  Value clipped(Value scaled) const;
  Value rounded(Value clipped) const;

  int prec_;
  bool is_signed_, half_shift_;
  Ties ties_;
};

/// The largest |w|, one per output channel or one in all.
Value weight_bound(Value weights, Keep keep);

/// Towards zero; gradient 0.
Value truncate(Value x);

}  // namespace qfw::aqt

#include "ops/ties.h"

#include "qfw/builder.h"

namespace qfw::ops {

Gradients gradients_of_chosen(Value gradient, Value first_wins, Value second_wins, Ties ties) {
  switch (ties) {
    case Ties::pass:
      return {select(second_wins, 0, gradient), select(second_wins, gradient, 0)};
    case Ties::block:
      return {select(first_wins, gradient, 0), select(second_wins, gradient, 0)};
    case Ties::half:
      break;
  }
  const Value half = gradient * 0.5;
  return {select(first_wins, gradient, select(second_wins, 0, half)),
          select(second_wins, gradient, select(first_wins, 0, half))};
}

}  // namespace qfw::ops

namespace qfw {

// At a tie with a limit x gets 1/2, 1 or 0: it is the first operand of both ops.
Value clip(Value x, Value low, Value high, Ties ties) { return minimum(maximum(x, low, ties), high, ties); }

}  // namespace qfw

#include "ops/reduction.h"
#include "qfw/builder.h"

namespace qfw {

// Divided, not multiplied by the reciprocal: one rounding after the sum's.
Value mean(Value x, Keep keep) {
  if (x.is_number()) return x;
  const Shape to = ops::kept(x, keep);
  return sum(x, keep) / (static_cast<double>(x.shape().count()) / static_cast<double>(to.count()));
}

Value mean_over_space(Value x) {
  const Shape from = x.shape();
  if (x.is_number() || from.rank() != 4) {
    fail(Error::Category::graph, "mean_over_space", "x is " + x.type().str(), {}, "it takes images [N, H, W, C]");
  }
  const Value total = reshape(sum_to(x, {from[0], 1, 1, from[3]}), {from[0], from[3]});
  return total / static_cast<double>(from[1] * from[2]);
}

}  // namespace qfw

#include "codes.h"

#include <cmath>

namespace qfw::aqt {

namespace {

constexpr float epsilon = 0x1p-23f;     // float32's machine epsilon: a bound of 0 gives a finite scale
constexpr float half_margin = 0x1p-7f;  // with half shift B itself must not reach the next level

}  // namespace

float Levels::top() const {
  if (!is_signed_) return std::ldexp(1.f, prec_);
  const float half_range = std::ldexp(1.f, prec_ - 1);
  if (half_shift_) return half_range;
  return prec_ == 1 ? 0.25f : half_range - 1;  // 1 bit without half shift: everything rounds to 0
}

Grid Levels::grid() const {
  if (!is_signed_) return {0, top() - 1};
  if (half_shift_) return {0.5f - top(), top() - 0.5f};
  return {-std::floor(top()), std::floor(top())};
}

Value Levels::scale(Value bound) const {
  // Numbers are double until they meet a tensor; the scale has to round as it does in the graph.
  if (bound.is_number()) return top() / (static_cast<float>(bound.number()) + epsilon);
  return stop_gradient(top() / (bound + epsilon));
}

Value Levels::codes(Value scaled) const {
  if (!is_signed_) return clip(floor_ste(scaled), 0, top() - 1, ties_);
  return rounded(clipped(scaled));
}

Value Levels::truncated_codes(Value scaled) const { return stop_gradient(rounded(truncate(clipped(scaled)))); }

Value Levels::clipped(Value scaled) const {
  const float limit = half_shift_ ? top() - half_margin : top();
  return clip(scaled, -limit, limit, ties_);
}

Value Levels::rounded(Value clipped) const { return half_shift_ ? floor_ste(clipped) + 0.5 : floor_ste(clipped + 0.5); }

Value weight_bound(Value weights, Keep keep) { return reduce_max(abs(weights), keep); }

Value truncate(Value x) { return select(x < 0, -floor(-x), floor(x)); }

}  // namespace qfw::aqt

#include "passes/loss_scale.h"

#include "passes/step.h"
#include "qfw/ops.h"

namespace qfw {

namespace {

constexpr double grows_after = 2000, least = 1, most = 1 << 24;

}  // namespace

LossScale::LossScale(GraphBuilder& g, LossScaling scaling) : g_(g), adapts_(scaling.adapts), scale_(scaling.scale) {
  if (!adapts_) return;
  const auto scope = g.scope("loss_scale");
  scale_ = g.state("scale", {}, Init::constant(scaling.scale));
  in_a_row_ = g.state("finite_steps", {});
}

Value LossScale::scaled(Value loss) const { return is_one() ? loss : loss * scale_; }

Value LossScale::unscaled(Value gradient) const { return is_one() ? gradient : gradient * (1 / scale_); }

std::optional<Value> LossScale::all_finite(const std::vector<Optimizer::Trainable>& all) const {
  if (!adapts_) return std::nullopt;
  const auto scope = g_.scope("loss_scale");
  Value finite = 1;
  for (const Optimizer::Trainable& trainable : all) finite = minimum(finite, reduce_min(is_finite(trainable.gradient)));
  return finite;
}

void LossScale::adapt(Value finite, Value alive) const {
  const auto scope = g_.scope("loss_scale");
  const Value count = in_a_row_ + 1, grows = grows_after <= count;
  const Value after_finite = select(grows, minimum(scale_ * 2, most), scale_);
  const Value next = select(finite, after_finite, maximum(scale_ * 0.5, least));
  g_.fetch(step_names::loss_scale, scale_);
  g_.fetch(step_names::skipped, 1 - finite);
  g_.assign(scale_, select(alive, next, scale_));
  g_.assign(in_a_row_, select(alive, select(finite, select(grows, 0, count), 0), in_a_row_));
}

}  // namespace qfw

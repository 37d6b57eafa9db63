#include "bounds.h"

#include <limits>
#include <string_view>

namespace qfw::aqt {

namespace {

/// Statistics of one batch over all replicas: sums and counts are added before dividing, extremes averaged.
struct BatchStatistics {
  Value mean, mean_abs, mean_sq, min, max;
};

BatchStatistics of_all(Value x, Keep keep) {
  const auto average = [&](Value value) { return all_reduce(mean(value, keep), Across::mean); };  // equal counts everywhere
  return {average(x), average(abs(x)), average(x * x), all_reduce(reduce_min(x, keep), Across::mean),
          all_reduce(reduce_max(x, keep), Across::mean)};
}

/// Where nothing is left, the means are 0 / 0 and the extremes infinite: not finite, so the old averages stay.
BatchStatistics of_nonzero(Value x, Keep keep) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Value zero = equal(x, 0);
  const auto total = [&](Value value) { return all_reduce(sum(value, keep), Across::sum); };
  const Value count = total(1 - zero);
  return {total(x) / count, total(abs(x)) / count, total(x * x) / count,
          all_reduce(reduce_min(select(zero, infinity, x), keep), Across::mean),
          all_reduce(reduce_max(select(zero, -infinity, x), keep), Across::mean)};
}

Value statistic(GraphBuilder& g, std::string_view name, const Shape& shape) {
  return g.state(name, shape, Init::zeros(), Variable::Role::operand_statistics);
}

}  // namespace

GetBounds::GetBounds(GraphBuilder& g, const BoundsOptions& options, std::int64_t channels)
    : g_(g),
      options_(options),
      shape_(options.keep() == Keep::channel ? Shape{channels} : Shape{}),
      bounds_(g.state("bounds", shape_, Init::constant(options.initial_bound), Variable::Role::operand_bounds)),
      n_(statistic(g, "n", {})),
      mean_(statistic(g, "mean", shape_)),
      mean_abs_(statistic(g, "mean_abs", shape_)),
      mean_sq_(statistic(g, "mean_sq", shape_)),
      mean_batch_min_(statistic(g, "mean_batch_min", shape_)),
      mean_batch_max_(statistic(g, "mean_batch_max", shape_)) {}

void GetBounds::step(Value x, bool update_bounds) {
  collect(stop_gradient(x));
  if (!update_bounds) return;
  bounds_ = g_.assign(bounds_, bounds_of_statistics());
  if (options_.reset_stats) reset();
}

void GetBounds::collect(Value x) {
  n_ = g_.assign(n_, n_ + 1);
  const Value alpha = options_.ema_coeff ? Value(*options_.ema_coeff) : 1 / n_;
  const BatchStatistics batch = options_.exclude_zeros ? of_nonzero(x, options_.keep()) : of_all(x, options_.keep());
  follow(mean_, batch.mean, alpha);
  follow(mean_abs_, batch.mean_abs, alpha);
  follow(mean_sq_, batch.mean_sq, alpha);
  follow(mean_batch_min_, batch.min, alpha);
  follow(mean_batch_max_, batch.max, alpha);
}

void GetBounds::follow(Value& average, Value batch, Value alpha) {
  average = g_.assign(average, select(is_finite(batch), average + alpha * (batch - average), average));
}

Value GetBounds::bounds_of_statistics() const {
  const BoundsOptions& o = options_;
  const auto mean_of_max = [&] { return maximum(abs(mean_batch_max_), abs(mean_batch_min_)); };
  const auto root_mean_square = [&] { return sqrt(mean_sq_); };
  const auto deviation = [&] { return sqrt(maximum(mean_sq_ - mean_ * mean_, 0)); };  // rounding may leave it below 0

  if (o.use_old_code) {
    if (o.use_cams) return abs(mean_) + o.stddev_coeff * deviation();
    if (o.use_mean_of_max) return mean_of_max();
    return o.mix_coeff * o.stddev_coeff * root_mean_square() + (1 - o.mix_coeff) * o.absdev_coeff * mean_abs_;
  }
  Value bound =
      broadcast_to(o.fixed_bound.value_or(0) + o.stddev_coeff * root_mean_square() + o.absdev_coeff * mean_abs_, shape_);
  if (o.mean_of_max_coeff) bound = bound + *o.mean_of_max_coeff * mean_of_max();
  if (o.cams_coeff) bound = bound + *o.cams_coeff * (abs(mean_) + o.cams_stddev_coeff.value_or(0) * deviation());
  return bound;
}

void GetBounds::reset() {
  for (Value* statistic : {&n_, &mean_, &mean_abs_, &mean_sq_, &mean_batch_min_, &mean_batch_max_}) {
    *statistic = g_.assign(*statistic, 0);
  }
}

}  // namespace qfw::aqt

#include "distribution.h"

#include <algorithm>

namespace qfw::calibrators {

namespace {

/// The part of a bin of `density` values a unit from `low` to `high`.
Distribution::Sums part(double density, double low, double high) {
  const double mass = density * (high - low);
  return {mass, mass * (low + high) / 2, mass * (low * low + low * high + high * high) / 3};
}

}  // namespace

Distribution::Distribution(const Calibrator::Histogram& histogram) : width_(histogram.width) {
  below_.resize(histogram.counts.size() + 1);
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double low = static_cast<double>(i) * width_, high = static_cast<double>(i + 1) * width_;
    const Sums bin = part(static_cast<double>(histogram.counts[i]) / width_, low, high);
    below_[i + 1] = {below_[i].count + bin.count, below_[i].first + bin.first, below_[i].second + bin.second};
  }
}

Distribution::Sums Distribution::below(double magnitude) const {
  if (!(magnitude > 0)) return {};
  const double place = magnitude / width_;
  const std::size_t bins = below_.size() - 1;
  if (place >= static_cast<double>(bins)) return below_.back();
  const auto bin = static_cast<std::size_t>(place);
  const double low = static_cast<double>(bin) * width_;
  const Sums some = part((below_[bin + 1].count - below_[bin].count) / width_, low, std::max(low, magnitude));
  return {below_[bin].count + some.count, below_[bin].first + some.first, below_[bin].second + some.second};
}

double Distribution::quantile(double share) const {
  const double wanted = share * all().count;
  const auto above = std::ranges::find_if(below_, [&](const Sums& sums) { return sums.count >= wanted && sums.count > 0; });
  if (above == below_.end()) return static_cast<double>(below_.size() - 1) * width_;  // rounding
  const auto bin = static_cast<double>(above - below_.begin()) - 1;
  const double before = std::prev(above)->count, within = above->count - before;
  return (bin + std::clamp((wanted - before) / within, 0.0, 1.0)) * width_;
}

}  // namespace qfw::calibrators

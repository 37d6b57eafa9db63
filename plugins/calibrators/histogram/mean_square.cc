#include <algorithm>
#include <cmath>

#include "distribution.h"
#include "methods.h"

namespace qfw::calibrators {

namespace {

/// The sum of squares over values that are not negative.
double squares(const Distribution& values, const Calibrator::Levels& levels, double bound) {
  const double unit = bound / levels.scale;
  const double lowest = levels.grid.low, highest = levels.grid.high;
  const double first = std::clamp(lowest + std::floor(levels.rounding - lowest), lowest, highest);  // what 0 becomes
  double total = 0;
  Distribution::Sums below;
  for (double level = first;; ++level) {
    const bool last = level >= highest;
    const Distribution::Sums up_to = last ? values.all() : values.below((level + 1 - levels.rounding) * unit);
    const Distribution::Sums cell = up_to - below;
    const double value = level * unit;
    total += cell.second - 2 * value * cell.first + value * value * cell.count;
    if (last) return std::max(total, 0.0);
    below = up_to;
  }
}

/// Values that may be negative are as often so as not: a histogram does not tell.
double squares_of_both(const Distribution& values, const Calibrator::Levels& levels, double bound) {
  const double positive = squares(values, levels, bound);
  const Grid& grid = levels.grid;
  if (grid.low >= 0 || (grid.low == -grid.high && levels.rounding == 0.5)) return positive;
  const Calibrator::Levels mirrored{.grid = {-grid.high, -grid.low}, .scale = levels.scale, .rounding = 1 - levels.rounding};
  return (positive + squares(values, mirrored, bound)) / 2;
}

}  // namespace

double mean_square_error(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels, double bound) {
  const Distribution values(histogram);
  return squares_of_both(values, levels, bound) / values.all().count;
}

double least_mean_square_bound(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels) {
  const Distribution values(histogram);
  constexpr int bounds = 2048, coarse = 16;
  const auto bound = [&](int number) { return double{histogram.largest} * number / bounds; };
  int best = bounds;
  double least = squares_of_both(values, levels, bound(best));
  const auto look_at = [&](int number) {
    const double found = squares_of_both(values, levels, bound(number));
    if (found < least) {
      least = found;
      best = number;
    }
  };
  for (int number = bounds - coarse; number > 0; number -= coarse) look_at(number);
  const int around = best;
  for (int number = std::min(bounds, around + coarse - 1); number > std::max(0, around - coarse); --number) look_at(number);
  return bound(best);
}

}  // namespace qfw::calibrators

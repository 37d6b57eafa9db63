#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "methods.h"

namespace qfw::calibrators {

namespace {

/// Of levels that magnitudes become.
std::size_t levels_not_below_zero(const Grid& grid) {
  const double lowest = std::max<double>(grid.low, grid.halves() ? 0.5 : 0);
  return static_cast<std::size_t>(std::max(double{grid.high} - lowest, 0.0)) + 1;
}

/// Of the first `kept` bins, clipped, to what `levels` make of them.
double relative_entropy(const std::vector<std::uint64_t>& counts, std::size_t kept, std::size_t levels) {
  double total = 0, beyond = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) (i < kept ? total : beyond) += static_cast<double>(counts[i]);
  if (total == 0) return std::numeric_limits<double>::infinity();
  double entropy = 0;
  std::size_t first = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t size = kept / levels + (level < kept % levels ? 1 : 0);
    double sum = 0, filled = 0;
    for (std::size_t i = first; i < first + size; ++i) {
      sum += static_cast<double>(counts[i]);
      filled += counts[i] > 0 ? 1 : 0;
    }
    for (std::size_t i = first; i < first + size; ++i) {
      const double p = (static_cast<double>(counts[i]) + (i + 1 == kept ? beyond : 0)) / (total + beyond);
      if (p == 0) continue;
      constexpr double lost = 10;  // for a share of values that the levels do not give at all, where the logarithm is infinite
      entropy += counts[i] == 0 ? p * lost : p * std::log(p / (sum / filled / total));
    }
    first += size;
  }
  return entropy;
}

}  // namespace

double least_entropy_bound(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels) {
  const std::size_t bins = histogram.counts.size(), count = levels_not_below_zero(levels.grid);
  const std::size_t stride = std::max<std::size_t>(1, bins / 128);
  std::size_t best = bins;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t kept = bins; kept >= std::max(count, bins / 32) && kept > 0; kept -= std::min(stride, kept)) {
    const double entropy = relative_entropy(histogram.counts, kept, count);
    if (entropy < least) {
      least = entropy;
      best = kept;
    }
  }
  return best == bins ? double{histogram.largest} : static_cast<double>(best) * histogram.width;
}

}  // namespace qfw::calibrators

#pragma once

#include <vector>

#include "qfw/calibrator.h"

namespace qfw::calibrators {

/// Sums over the values of a histogram, as if those of a bin were spread evenly over it.
class Distribution {
 public:
  explicit Distribution(const Calibrator::Histogram& histogram);

  struct Sums {
    double count = 0, first = 0, second = 0;  ///< of 1, x and x^2
    Sums operator-(const Sums& other) const { return {count - other.count, first - other.first, second - other.second}; }
  };
  Sums below(double magnitude) const;
  const Sums& all() const { return below_.back(); }
  /// So many of the values lie below it.
  double quantile(double share) const;

 private:
  double width_;
  std::vector<Sums> below_;  ///< the lower end of each bin, and the upper end of the last
};

}  // namespace qfw::calibrators

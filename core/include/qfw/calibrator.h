#pragma once

#include <cstdint>
#include <vector>

#include "qfw/graph.h"

namespace qfw {

/// Chooses the clipping bound of a layer's input from how often it takes which values: behind `qfw calibrate`.
class QFW_API Calibrator {
 public:
  using Interface = Calibrator;
  static constexpr const char* kind = "calibrator";  ///< its word on the command line: --calibrator.KEY=VALUE sets an option

  Calibrator() = default;
  Calibrator(const Calibrator&) = delete;
  Calibrator& operator=(const Calibrator&) = delete;
  virtual ~Calibrator();

  /// Of |x| over all images, exact zeros left out: counts[i] of i * width <= |x| < (i + 1) * width, the last bin with its upper
  /// end. At least one count is not 0.
  struct Histogram {
    double width = 0;
    std::vector<std::uint64_t> counts;
    std::uint64_t zeros = 0;
    float largest = 0;  ///< |x|, exact
  };
  /// The magnitude, above 0, that the grid's last level stands for. `grid` is that of codes of x times a scale (see Grid);
  /// without negative levels x has none either.
  virtual double bound(const Histogram& histogram, const Grid& grid) const = 0;
};

}  // namespace qfw

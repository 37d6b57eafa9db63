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
  /// What a quantizer makes of x under a bound: the place x * scale / bound on its grid, `rounding` added, becomes the level at
  /// or next below it, within the grid's ends.
  struct Levels {
    Grid grid;
    double scale = 1;
    double rounding = 0.5;  ///< 0.5: the nearest level; 0: the one below
  };
  /// The bound, above 0 and finite. A grid without negative levels is that of an x that is never below 0. Thread-safe.
  virtual double bound(const Histogram& histogram, const Levels& levels) const = 0;
};

}  // namespace qfw

#pragma once

#include "qfw/calibrator.h"

namespace qfw::calibrators {

/// The mean square of what a bound adds to the values: x^ - x, with those beyond it clipped.
double mean_square_error(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels, double bound);

/// The bound with the least mean_square_error, of 2048 up to the largest value: searched coarsely, then around the best.
double least_mean_square_bound(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels);

/// The bound that loses least information: for each of up to 128 bounds at ends of bins, the values beyond it are moved to its
/// last bin, and the relative entropy (Kullback-Leibler) of that to the same values spread evenly over the filled bins of each
/// level's part is compared. As TensorRT calibrates.
double least_entropy_bound(const Calibrator::Histogram& histogram, const Calibrator::Levels& levels);

}  // namespace qfw::calibrators

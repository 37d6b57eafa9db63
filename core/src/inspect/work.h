#pragma once

#include <cstdint>
#include <optional>

#include "qfw/backend.h"

namespace qfw {

/// The multiplications of a step's matmuls for one image, forward and backward, by what a device does them with.
struct Work {
  double f32 = 0, bf16 = 0, integer = 0;
};

/// Of a finished graph, whose batch has so many images.
Work work_of(const Graph& graph, std::int64_t batch);

/// Images a second if a step were these multiplications alone, all at the device's peak. None where there are none, or where
/// the peak of some is not known.
std::optional<double> peak_images_per_second(const Work& work, const Backend::Peak& peak);

}  // namespace qfw

#pragma once

#include <cstdint>
#include <optional>

#include "qfw/backend.h"

namespace qfw {

/// The multiplications of a step's matmuls for one image, forward and backward, by what a device does them with.
struct Work {
  double f32 = 0, bf16 = 0, integer = 0;
};

/// Of a matmul, each with its addition: for each element of the product, those of one sum. 0 for every other node.
double multiplications_of(const Graph& graph, const Node& node);

/// What a device multiplies operands of this type at, at best; 0: not known.
double peak_of(const Backend::Peak& peak, DType operands);

/// Of a finished graph, whose batch has so many images.
Work work_of(const Graph& graph, std::int64_t batch);

/// Images a second if a step were these multiplications alone, all at the device's peak. None where there are none, or where
/// the peak of some is not known.
std::optional<double> peak_images_per_second(const Work& work, const Backend::Peak& peak);

}  // namespace qfw

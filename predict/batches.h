#pragma once

#include <cstdint>
#include <vector>

#include "qfw/frozen_model.h"

namespace qfw::predict {

/// A frozen model's graph for another number of images at a time (FrozenModel::graph says why that is possible).
Graph for_images(const Graph& graph, std::int64_t images);

/// Numbers of images for which executables are made, the largest first, so that any number is a sum of a few of them and none
/// is computed in vain: powers of 4 below `batch`, and itself.
std::vector<std::int64_t> batch_sizes(std::int64_t batch);

}  // namespace qfw::predict

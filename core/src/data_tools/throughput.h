#pragma once

#include <string>
#include <vector>

#include "qfw/augment.h"
#include "qfw/dataset.h"

namespace qfw {

/// How fast one stage of the input is.
struct Throughput {
  std::string stage;  ///< "read", "decode", "augment" (which decodes what it needs), "pipeline"
  int threads = 1;
  double images_per_second = 0;
};

/// Each stage with 1, 2, 4, ... and `workers` threads, over the first `examples` of a split at most, in batches of `batch`.
std::vector<Throughput> measure_input(const Dataset& dataset, const Augment& augment, std::string_view split,
                                      std::int64_t examples, std::int64_t batch, int workers);

}  // namespace qfw

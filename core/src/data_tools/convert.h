#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"

namespace qfw {

struct Conversion {
  std::filesystem::path folder;
  std::vector<std::string> splits;
  int workers = 1;
};

/// Stores splits of `dataset` through `writer`, part by part; parts that are there already are kept. Throws
/// Error::Category::interrupted on Ctrl-C under an InterruptGuard, between two examples; the part at hand is then written again
/// by the next call. Returns the number of examples.
std::int64_t convert(const Dataset& dataset, DatasetWriter& writer, const Conversion& conversion);

}  // namespace qfw

#pragma once

#include <string>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// Of all classes, in order; empty where the data set has no names for them, only numbers.
std::vector<std::string> class_names_of(const Dataset& dataset);

}  // namespace qfw

#pragma once

#include <string>
#include <vector>

#include "passes/step.h"

namespace qfw {

/// The parameters of a training step that no gradient of its loss reaches; weight decay is no such gradient.
std::vector<std::string> parameters_without_gradient(const StepDescription& description);

}  // namespace qfw

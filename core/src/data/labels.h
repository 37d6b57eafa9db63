#pragma once

#include <string_view>

#include "qfw/dataset.h"

namespace qfw {

/// Refuses a split without labels (-1), as neither a step nor a score can be made of it. Looks at three examples; what cannot
/// be read is left for later.
void require_labels(const Dataset& dataset, std::string_view split);

}  // namespace qfw

#pragma once

#include "hyperparameters.h"
#include "qfw/format.h"

namespace qfw::aqt {

/// A resolved run in the original's words. Throws Error::Category::usage naming every setting it has no words for.
Hyperparameters hyperparameters_of(const Format::Run& run);

}  // namespace qfw::aqt

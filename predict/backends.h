#pragma once

#include <string_view>

#include "predict/predictor.h"

namespace qfw::predict {

/// "cpu" or "reference", linked in rather than opened. Throws Error::Category::usage for another name.
Predictor::MakeBackend backend_named(std::string_view name, int threads);

}  // namespace qfw::predict

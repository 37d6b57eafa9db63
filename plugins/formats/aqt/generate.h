#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hyperparameters.h"
#include "qfw/format.h"

namespace qfw::aqt {

/// What generate() takes: the policy, and a flag for every field of the file.
std::vector<Format::Flag> generator_flags();

/// Throws Error::Category::usage for an unknown flag or a value that does not fit.
Hyperparameters generate(std::span<const std::pair<std::string, std::string>> flags);

}  // namespace qfw::aqt

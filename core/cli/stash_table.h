#pragma once

#include <string>

#include "inspect/explanation.h"

namespace qfw {

/// What a step keeps for its backward pass, by layer and dtype, and all that it needs memory for: what `qfw explain` prints of
/// memory. At most 80 columns; of many layers equal blocks are folded.
std::string stash_table(const Explanation& explanation, std::int64_t batch);

}  // namespace qfw

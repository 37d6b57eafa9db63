#pragma once

#include <string>
#include <vector>

#include "run/session.h"

namespace qfw {

/// What of a recipe never takes effect in the run it describes, or only for its last part: quantization that begins too late or
/// leaves one value, layer sections that change nothing, ramps of the learning rate that do not fit. Said at the start, by
/// `qfw explain` and in report.json. Builds graphs, compiles nothing.
std::vector<std::string> notes_on(const Session& session);

}  // namespace qfw

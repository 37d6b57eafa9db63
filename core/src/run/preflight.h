#pragma once

#include "io/run_folder.h"
#include "run/session.h"

namespace qfw {

/// What a run will need, looked at before its first step: both splits, an image of each as the model will see it, its label,
/// and room for a checkpoint and leave to write it, and the
/// evaluation of its end. Throws with what is missing and the key that mends it.
void check_before_training(Session& session, const RunFolder& folder, std::int64_t variable_bytes);

}  // namespace qfw

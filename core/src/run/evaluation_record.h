#pragma once

#include "run/observer.h"

namespace qfw {

/// evaluation.json: what the last evaluation took for what, and the pictures it was most wrong about. docs/run_folder.md
/// describes it.
void write_evaluation(const RunView& run, const EvaluationResult& evaluation);

}  // namespace qfw

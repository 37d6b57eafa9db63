#pragma once

#include "run/observer.h"

namespace qfw {

/// setup.json: what is known of a run before its first step. docs/run_folder.md describes it.
void write_setup(const RunView& run);

}  // namespace qfw

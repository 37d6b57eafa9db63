#pragma once

#include "qfw/frozen_model.h"
#include "run/session.h"

namespace qfw {

/// A run's network at a checkpoint, as exporters take it: with the quantization of an evaluation after that many steps. The
/// session's variables become the checkpoint's. `data` may be missing: there are no labels then.
FrozenModel frozen_model(Session& session, const Checkpoint& checkpoint);

}  // namespace qfw

#pragma once

#include <cstdint>

#include "run/session.h"

namespace qfw {

/// Whether the recipe asks for an evaluation behind this step, the first of which is 0: at the end of epochs
/// (eval.every_epochs), or of each part of one (eval.per_epoch, and per_epoch_late in the last tenth of the run); under
/// eval.after_first_step behind the first step of each part.
bool evaluates_after(const Session& session, std::int64_t number);
/// The same for epochs of so many steps, and so many steps in all.
bool evaluates_after(const EvalSettings& eval, std::int64_t number, std::int64_t epoch, std::int64_t total);

/// Whether it asks for a checkpoint of the state after so many steps, beside that of the end.
bool saves_after(const Session& session, std::int64_t completed);

}  // namespace qfw

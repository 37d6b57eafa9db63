#pragma once

#include "run/session.h"

namespace qfw {

/// Builds, without compiling, the training and evaluation graphs of every phase that the run will meet, so that what would stop
/// it hours later stops it now: a quantizer that fails in a later phase, variables that differ between phases, an op that the
/// backend does not take. Where train.memory_limit_mib decides what is recomputed, training steps of the phases from step
/// `from` on, at which the run goes on, are compiled, too: only then is it known what they need.
void check_phases(Session& session, std::int64_t from);

/// Throws unless `graph` has the variables of the first training step: else a checkpoint would depend on when it was written.
/// A graph for evaluation may lack some. `when` is of `graph`.
void check_same_variables(const std::vector<Variable>& first, const Graph& graph, const std::string& when);

/// The parameters that the loss's gradient reaches in no phase of the run: they keep their initial values, but for weight
/// decay.
std::vector<std::string> untrained_parameters(const Session& session);

}  // namespace qfw

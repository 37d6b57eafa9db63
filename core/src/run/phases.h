#pragma once

#include <functional>
#include <set>
#include <vector>

#include "run/session.h"

namespace qfw {

/// Calls `visit` for the first step of the run and for each one at which a quantizer's phase differs from the step before.
/// Quantizers say how far their phases stay (Quantizer::next_phase_change); one that does not know is asked step by step, for
/// the first 2^27 steps at most.
void for_each_phase(const Session& session,
                    const std::function<void(std::int64_t step, const std::vector<Phase>& phases)>& visit);

/// The first step of every distinct phase, in order.
std::vector<std::int64_t> first_steps_of_phases(const Session& session);

/// The distinct phases of the steps from this one on.
std::set<std::vector<Phase>> phases_from(const Session& session, std::int64_t step);

}  // namespace qfw

#pragma once

#include <functional>

#include "run/new_run.h"
#include "run/session.h"

namespace qfw {

/// The running moments of a network's normalizations, as plain averages over those of `batches` training batches that go
/// through it, quantized: forward passes in training mode. Quantizers collect their statistics as in training, which are
/// returned, too; no other variable changes. `write` is called for the variables of the graph before it runs. Throws
/// Error::Category::usage for a network without running moments.
VariableValues batch_moments(Session& session, std::int64_t step, std::int64_t batches,
                             const std::function<void(const Graph&)>& write);

}  // namespace qfw

#pragma once

#include "io/tensor_file.h"
#include "run/scores.h"
#include "run/session.h"

namespace qfw {

/// Every image of the split `validation` once (or the first eval.examples), the partial last batch included, with the
/// variables as they are after `completed` steps; the scores are those of all processes, equal on each. Every logit and label
/// of this process also goes to `sink` if there is one. Throws Error::Category::interrupted on Ctrl-C, and for variables or
/// logits that are not finite, an infinite one included: the cross entropy of finite logits always is.
Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink = nullptr);

}  // namespace qfw

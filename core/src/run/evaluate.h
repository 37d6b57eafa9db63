#pragma once

#include <functional>
#include <vector>

#include "io/layers_file.h"
#include "io/tensor_file.h"
#include "run/scores.h"
#include "run/session.h"

namespace qfw {

/// What an evaluation found besides its scores, in all processes, whatever the number of replicas.
struct EvaluationDetails {
  std::vector<Scores::Example> examples;  ///< each that has a score, in order
  std::vector<LayersFile::Row> layers;    ///< see run/layer_statistics.h
};

/// Told in the process's thread how many of the images are evaluated.
using EvaluationProgress = std::function<void(std::int64_t done, std::int64_t of)>;

/// Every image of the split `validation` once (or the first eval.examples), the partial last batch included, with the
/// variables as they are after `completed` steps; the scores are those of all processes, equal on each. Every logit and label
/// of this process also goes to `sink` if there is one; `details` are filled in if there are any, which all processes must
/// agree upon. Throws Error::Category::interrupted on Ctrl-C, and for variables or logits that are not finite, an infinite one
/// included: the cross entropy of finite logits always is.
Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink = nullptr, EvaluationDetails* details = nullptr,
                const EvaluationProgress& progress = {});

}  // namespace qfw

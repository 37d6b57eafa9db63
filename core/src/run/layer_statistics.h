#pragma once

#include <span>
#include <vector>

#include "io/layers_file.h"
#include "run/session.h"

namespace qfw {

/// The bounds of every quantized operand in an evaluation, and what share of it is clipped: of an input, in the first batch.
/// One forward pass more; changes nothing. `images` are the batch at hand of each replica of this process, of which `counts`
/// are examples; the same step on all processes, which all get the rows.
std::vector<LayersFile::Row> layer_statistics(Session& session, Session::Evaluation& evaluation, std::int64_t completed,
                                              std::span<const std::span<const float>> images, std::span<const int> counts,
                                              std::int64_t examples);

}  // namespace qfw

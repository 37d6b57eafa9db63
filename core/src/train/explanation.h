#pragma once

#include <string>
#include <vector>

#include "train/session.h"

namespace qfw {

/// What a recipe will do, layer by layer, as its own evaluation graph at the end of training says.
struct Explanation {
  struct LayerRow {
    std::string path, op;
    Shape src, weights, dst;            ///< of one image
    std::int64_t multiplications = 0;   ///< for one image
    int weight_bits = 0, act_bits = 0;  ///< 0: float
    bool integer = false;
    std::string reason;  ///< why not integer
  };
  struct PhaseRow {
    std::int64_t first_step = 0;
    std::string phase;
  };
  std::vector<LayerRow> layers;
  std::vector<PhaseRow> phases;  ///< of training steps
  std::int64_t multiplications = 0, matmul_weights = 0, parameters = 0;
  std::int64_t variable_bytes = 0;  ///< parameters, state and optimizer slots
  std::int64_t arena_bytes = 0;     ///< intermediate values of a training step in its last phase
};

/// Compiles a training step to measure its memory.
Explanation explain(Session& session);

}  // namespace qfw

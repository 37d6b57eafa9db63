#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inspect/cost.h"
#include "inspect/stash.h"
#include "inspect/work.h"
#include "run/session.h"

namespace qfw {

/// How one layer's forward product is computed, as the nodes of the finished graph say that a backend is given.
struct Arithmetic {
  DType src{}, weights{}, sums{};  ///< of the operands and of the product
  std::string reason;              ///< why not integer

  bool integer() const { return sums == DType::s32; }
  std::string str() const;  ///< "u8 x s8 -> s32"
  bool operator==(const Arithmetic&) const = default;
};

/// What a recipe will do, layer by layer, as its own graphs at the end of training say.
struct Explanation {
  struct LayerRow {
    std::string path, op;
    Shape src, weights, dst;            ///< of one image
    std::int64_t multiplications = 0;   ///< for one image
    std::int64_t products = 0;          ///< in one sum
    int weight_bits = 0, act_bits = 0;  ///< 0: float
    Arithmetic training, evaluation;    ///< in the graphs as the backend takes them
    bool integer_backward = false;      ///< the gradient of its input: s8 x s8 -> s32; else a float product, or none
    std::optional<double> largest_sum;  ///< of an integer product, whatever the data are
  };
  struct PhaseRow {
    std::int64_t first_step = 0;
    std::string phase;
    std::int64_t integer = 0;  ///< layers whose forward product is integer in it
    Work work{};               ///< of its steps
  };
  std::vector<LayerRow> layers;
  std::vector<PhaseRow> phases;  ///< of training steps
  std::int64_t multiplications = 0, matmul_weights = 0, parameters = 0;
  /// Parameters, what the optimizer keeps of each, and all other state.
  std::int64_t parameter_bytes = 0, optimizer_bytes = 0, state_bytes = 0;
  std::int64_t variable_bytes() const { return parameter_bytes + optimizer_bytes + state_bytes; }
  std::int64_t arena_bytes = 0;           ///< intermediate values of a training step in its last phase; 0: not compiled
  Stash stash;                            ///< among these; empty: not compiled, or the backend does not tell
  Recompute recompute = Recompute::none;  ///< what of that step's forward pass is computed again
  std::int64_t arena_without = 0, stash_without = 0;  ///< bytes if nothing were; 0: nothing is
};

/// Compiles nothing.
Explanation explain(const Session& session);
/// Compiles a training step: how much memory it takes is then known.
Explanation explain_compiled(Session& session);

/// What each layer costs once all that the recipe quantizes is quantized, however short the run.
struct CostReport {
  struct LayerRow {
    std::string path;
    std::int64_t multiplications = 0, weights = 0;  ///< for one image
    int weight_bits = 0, act_bits = 0;              ///< 0: float, which counts as 16
    Cost cost, unquantized;
  };
  std::vector<LayerRow> layers;
  Cost total, unquantized;
  std::int64_t later = 0;  ///< layers of these bits only after the run's last step
};

/// Compiles nothing.
CostReport costs(const Session& session);

}  // namespace qfw

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "passes/step.h"
#include "recipe/quantizer_set.h"
#include "recipe/recipe.h"
#include "run/data_shape.h"

namespace qfw {

/// How long a recipe's run is.
struct RunLength {
  std::int64_t steps_per_epoch = 1, total_steps = 1;
};
/// Throws Error::Category::usage for batches that replicas cannot share, or that are larger than the training split.
RunLength run_length(const Recipe& recipe, std::int64_t train_examples, int replicas);

Clock clock_at(const Recipe& recipe, const RunLength& length, std::int64_t step, bool training, bool warm_start);

/// Images of an evaluation's batch, of one replica.
std::int64_t eval_batch_of(const Recipe& recipe, int replicas);

/// A recipe's model and quantizers: what its graphs are described by.
class Network {
 public:
  Network(const Recipe& recipe, std::shared_ptr<const Layer> model, const DataShape& data);

  const Layer& model() const { return *model_; }
  const QuantizerSet& quantizers() const { return *quantizers_; }
  /// What it refers to is this object's.
  StepDescription describe(const Recipe& recipe, const Clock& clock, std::int64_t batch, int replicas) const;

 private:
  std::shared_ptr<const Layer> model_;
  DataShape data_;
  std::unique_ptr<QuantizerSet> quantizers_;
};

/// The paths of all conv2d and dense layers of a model, in the order of the computation.
std::vector<std::string> layer_paths(const Recipe& recipe, const Layer& model, const DataShape& data);

}  // namespace qfw

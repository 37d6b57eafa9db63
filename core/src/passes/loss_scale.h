#pragma once

#include <optional>
#include <vector>

#include "qfw/builder.h"
#include "qfw/optimizer.h"

namespace qfw {

/// What a training step multiplies its loss by before it is differentiated, so that small gradients are not lost in f16: a
/// power of two. Micikevicius et al., Mixed Precision Training, 2018.
struct LossScaling {
  double scale = 1;     ///< of one that adapts: the first
  bool adapts = false;  ///< halved after a step whose gradients are not all finite, doubled after 2000 in a row that were
};

/// The scale of one step. One that adapts is state, loss_scale/..., as are how many steps in a row were finite.
class LossScale {
 public:
  LossScale(GraphBuilder& g, LossScaling scaling);

  Value scaled(Value loss) const;
  Value unscaled(Value gradient) const;  ///< of a parameter: exact
  /// 1 or 0: whether all of them are finite. None: of no interest, for the scale stays.
  std::optional<Value> all_finite(const std::vector<Optimizer::Trainable>& all) const;
  /// Fetches what the step was scaled by and whether it was skipped, and sets the scale of the next; where `alive` is 0,
  /// nothing changes. After all other updates.
  void adapt(Value finite, Value alive) const;

 private:
  bool is_one() const { return scale_.is_number() && scale_.number() == 1; }

  GraphBuilder& g_;
  bool adapts_;
  Value scale_ = 1, in_a_row_ = 0;
};

}  // namespace qfw

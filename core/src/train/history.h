#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace qfw {

/// What a run remembers of its evaluations. Kept in checkpoints, so that a resumed run reports as an uninterrupted one.
struct History {
  /// Weight of the past in the smoothed accuracy, an exponential average without bias, as TensorBoard shows it by default.
  static constexpr double smoothing = 0.6;

  std::optional<double> eval_accuracy, eval_loss;  ///< of the last evaluation
  std::int64_t eval_step = -1;                     ///< completed steps at the last evaluation
  std::optional<double> best_accuracy, best_smoothed;
  std::int64_t best_step = 0, best_smoothed_step = 0;
  double smoothed_sum = 0, smoothed_weight = 0;
  std::optional<std::int64_t> first_nan_step;

  /// Returns whether it is the best so far. Both are finite: evaluate() throws otherwise.
  bool add(std::int64_t step, double accuracy, double loss);

  std::map<std::string, double> to_metrics() const;
  static History from_metrics(const std::map<std::string, double>& metrics);
};

}  // namespace qfw

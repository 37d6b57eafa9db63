#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace qfw {

/// What a run remembers of its evaluations and of steps that went wrong. Kept in checkpoints, so that a resumed run reports as
/// an uninterrupted one.
struct History {
  /// Weight of the past in the smoothed accuracy, an exponential average without bias, as TensorBoard shows it by default.
  static constexpr double smoothing = 0.6;

  std::optional<double> eval_accuracy, eval_loss;  ///< of the last evaluation
  std::int64_t eval_step = -1;                     ///< completed steps at the last evaluation
  std::optional<double> best_accuracy, best_smoothed;
  std::int64_t best_step = 0, best_smoothed_step = 0;
  double smoothed_sum = 0, smoothed_weight = 0;
  std::optional<std::int64_t> first_nan_step;
  std::int64_t skipped_steps = 0;  ///< that changed nothing, for gradients were beyond the range of f16
  /// Only evaluations in the phase that the run ends in compete for the best: a float phase is no result of a quantized run.
  std::uint32_t best_phase = 0;  ///< the phase of best_accuracy and best_smoothed, as Session::evaluation_phase() numbers it

  /// Returns whether it is the best so far of those that compete. Both are finite: evaluate() throws otherwise.
  bool add(std::int64_t step, double accuracy, double loss, bool competes);
  /// Forgets a best of another phase: a run that goes on for longer may end in another one.
  void ends_in(std::uint32_t phase);

  std::map<std::string, double> to_metrics() const;
  static History from_metrics(const std::map<std::string, double>& metrics);
};

}  // namespace qfw

#include "run/history.h"

#include <fmt/format.h>

#include <cmath>

#include "qfw/error.h"

namespace qfw {

bool History::add(std::int64_t step, double accuracy, double loss, bool competes) {
  if (!std::isfinite(accuracy) || !std::isfinite(loss)) {
    fail(Error::Category::internal, "history",
         fmt::format("an evaluation after step {} has accuracy {}, loss {}", step, accuracy, loss));
  }
  eval_accuracy = accuracy;
  eval_loss = loss;
  eval_step = step;
  if (competes && !best_smoothed) smoothed_sum = smoothed_weight = 0;  // of this phase alone
  smoothed_sum = smoothing * smoothed_sum + (1 - smoothing) * accuracy;
  smoothed_weight = smoothing * smoothed_weight + (1 - smoothing);
  if (!competes) return false;
  if (const double smoothed = smoothed_sum / smoothed_weight; !best_smoothed || smoothed > *best_smoothed) {
    best_smoothed = smoothed;
    best_smoothed_step = step;
  }
  if (best_accuracy && accuracy <= *best_accuracy) return false;
  best_accuracy = accuracy;
  best_step = step;
  return true;
}

void History::ends_in(std::uint32_t phase) {
  if (phase == best_phase) return;
  best_phase = phase;
  best_accuracy.reset();
  best_smoothed.reset();
  best_step = best_smoothed_step = 0;
}

std::map<std::string, double> History::to_metrics() const {
  std::map<std::string, double> metrics;
  if (first_nan_step) metrics["first_nan_step"] = static_cast<double>(*first_nan_step);
  if (skipped_steps > 0) metrics["skipped_steps"] = static_cast<double>(skipped_steps);
  if (!eval_accuracy) return metrics;
  metrics["eval_accuracy"] = *eval_accuracy;
  metrics["eval_loss"] = *eval_loss;
  metrics["eval_step"] = static_cast<double>(eval_step);
  metrics["smoothed_sum"] = smoothed_sum;
  metrics["smoothed_weight"] = smoothed_weight;
  if (!best_accuracy) return metrics;
  metrics["best_phase"] = best_phase;
  metrics["best_eval_accuracy"] = *best_accuracy;
  metrics["best_eval_step"] = static_cast<double>(best_step);
  metrics["best_smoothed_eval_accuracy"] = *best_smoothed;
  metrics["best_smoothed_eval_step"] = static_cast<double>(best_smoothed_step);
  return metrics;
}

History History::from_metrics(const std::map<std::string, double>& metrics) {
  const auto find = [&](const char* name) -> std::optional<double> {
    const auto found = metrics.find(name);
    return found == metrics.end() ? std::nullopt : std::optional(found->second);
  };
  const auto step = [&](const char* name) { return static_cast<std::int64_t>(find(name).value_or(0)); };
  History history;
  history.eval_accuracy = find("eval_accuracy");
  history.eval_loss = find("eval_loss");
  if (history.eval_loss) history.eval_step = step("eval_step");
  history.best_accuracy = find("best_eval_accuracy");
  history.best_smoothed = find("best_smoothed_eval_accuracy");
  history.best_step = step("best_eval_step");
  history.best_smoothed_step = step("best_smoothed_eval_step");
  history.smoothed_sum = find("smoothed_sum").value_or(0);
  history.smoothed_weight = find("smoothed_weight").value_or(0);
  history.best_phase = static_cast<std::uint32_t>(step("best_phase"));
  history.skipped_steps = step("skipped_steps");
  if (find("first_nan_step")) history.first_nan_step = step("first_nan_step");
  return history;
}

}  // namespace qfw

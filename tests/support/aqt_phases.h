#pragma once

#include "aqt.h"

/// Moments of a run, and which phases the quantizer is in at them.
namespace qfw::aqt {

inline Options automatic(std::int64_t start = 5, std::int64_t every = -1) {
  Options options;
  options.bounds = "auto";
  options.activation_bound_start_step = start;
  options.activation_bound_update_freq = every;
  return options;
}

inline Clock training(std::int64_t step, std::int64_t per_epoch = 10) {
  return {.step = step, .epoch = step / per_epoch, .steps_per_epoch = per_epoch, .total_steps = 100};
}
inline Clock evaluation(std::int64_t completed, std::int64_t per_epoch = 10) {
  Clock clock = training(completed, per_epoch);
  clock.training = false;
  return clock;
}

inline bool has(Phase phase, Phase flag) { return (phase & flag) != 0; }

}  // namespace qfw::aqt

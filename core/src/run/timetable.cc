#include "run/timetable.h"

#include <algorithm>

namespace qfw {

namespace {

/// Whether a step, counted from 0 within its epoch, is the last of one of `parts` equal parts.
bool ends_part(std::int64_t step, std::int64_t epoch, std::int64_t parts) {
  parts = std::min(parts, epoch);
  return (step + 1) * parts / epoch > step * parts / epoch;
}

/// The original's rule, which counts whole steps: parts that do not divide the epoch evaluate more often than asked for.
bool begins_part(std::int64_t step, std::int64_t epoch, std::int64_t parts) {
  return step % std::max<std::int64_t>(1, epoch / parts) == 0;
}

}  // namespace

bool evaluates_after(const EvalSettings& eval, std::int64_t number, std::int64_t epoch, std::int64_t total) {
  if (eval.every_epochs && (number + 1) % (*eval.every_epochs * epoch) == 0) return true;
  const bool late = static_cast<double>(number) / static_cast<double>(total) > 0.9;
  const std::int64_t parts = late ? eval.per_epoch_late : eval.per_epoch;
  if (parts <= 0) return false;
  return eval.after_first_step ? begins_part(number % epoch, epoch, parts) : ends_part(number % epoch, epoch, parts);
}

bool evaluates_after(const Session& session, std::int64_t number) {
  return evaluates_after(session.recipe().eval(), number, session.steps_per_epoch(), session.total_steps());
}

bool saves_after(const Session& session, std::int64_t completed) {
  const auto& every = session.recipe().checkpoint();
  if (every.every_steps && *every.every_steps > 0 && completed % *every.every_steps == 0) return true;
  return every.every_epochs && *every.every_epochs > 0 && completed % (*every.every_epochs * session.steps_per_epoch()) == 0;
}

}  // namespace qfw

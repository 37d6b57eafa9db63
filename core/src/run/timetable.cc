#include "run/timetable.h"

#include <algorithm>

namespace qfw {

bool evaluates_after(const Session& session, std::int64_t number) {
  const auto& eval = session.recipe().eval();
  const std::int64_t total = session.total_steps(), epoch = session.steps_per_epoch();
  if (eval.every_epochs && (number + 1) % (*eval.every_epochs * epoch) == 0) return true;
  const bool late = static_cast<double>(number) / static_cast<double>(total) > 0.9;
  const std::int64_t per_epoch = late ? eval.per_epoch_late : eval.per_epoch;
  if (per_epoch <= 0) return false;
  const std::int64_t interval = std::max<std::int64_t>(1, epoch / per_epoch);
  return number % epoch % interval == 0;
}

bool saves_after(const Session& session, std::int64_t completed) {
  const auto& every = session.recipe().checkpoint();
  if (every.every_steps && *every.every_steps > 0 && completed % *every.every_steps == 0) return true;
  return every.every_epochs && *every.every_epochs > 0 && completed % (*every.every_epochs * session.steps_per_epoch()) == 0;
}

}  // namespace qfw

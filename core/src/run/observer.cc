#include "run/observer.h"

#include <algorithm>

namespace qfw {

RunObserver::~RunObserver() = default;

const char* name_of(Ending ending) {
  switch (ending) {
    case Ending::finished:
      return "finished";
    case Ending::interrupted:
      return "interrupted";
    case Ending::diverged:
      return "diverged";
    case Ending::failed:
      return "failed";
  }
  return "";
}

void Speed::add(double step_seconds, std::int64_t batch, std::optional<double> peak) {
  seconds += step_seconds;
  ++steps;
  const double now = static_cast<double>(batch) / step_seconds;
  recent = recent == 0 ? now : 0.95 * recent + 0.05 * now;
  average = seconds > 0 ? static_cast<double>(steps * batch) / seconds : 0;
  peak_seconds = peak_seconds && peak ? std::optional(*peak_seconds + static_cast<double>(batch) / *peak) : std::nullopt;
}

std::optional<double> Speed::peak_share() const {
  return peak_seconds && seconds > 0 ? std::optional(*peak_seconds / seconds) : std::nullopt;
}

const Explanation::PhaseRow* Course::phase(std::int64_t step) const {
  const auto& phases = explanation.phases;
  const auto next = std::ranges::upper_bound(phases, step, {}, &Explanation::PhaseRow::first_step);
  return next == phases.begin() ? nullptr : &*std::prev(next);
}

const Explanation::PhaseRow* Course::phase_after(std::int64_t step) const {
  const auto& phases = explanation.phases;
  const auto next = std::ranges::upper_bound(phases, step, {}, &Explanation::PhaseRow::first_step);
  return next == phases.end() ? nullptr : &*next;
}

std::optional<double> Course::peak_images_per_second(std::int64_t step) const {
  const Explanation::PhaseRow* in = phase(step);
  return in == nullptr ? std::nullopt : qfw::peak_images_per_second(in->work, peak);
}

double RunView::epoch() const { return static_cast<double>(completed) / static_cast<double>(session.steps_per_epoch()); }

std::int64_t RunView::epochs() const {
  return (session.total_steps() + session.steps_per_epoch() - 1) / session.steps_per_epoch();
}

std::optional<double> RunView::seconds_left() const {
  if (speed.recent <= 0) return std::nullopt;
  return static_cast<double>((session.total_steps() - completed) * session.recipe().train().batch_size) / speed.recent;
}

std::optional<double> RunView::recent_peak_share() const {
  const auto possible = course.peak_images_per_second(completed - 1);
  return possible && speed.recent > 0 ? std::optional(speed.recent / *possible) : std::nullopt;
}

}  // namespace qfw

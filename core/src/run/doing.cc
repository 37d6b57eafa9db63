#include "run/doing.h"

#include <fmt/format.h>

#include <cmath>

#include "io/progress.h"

namespace qfw {

namespace {

using Clock = std::chrono::steady_clock;

std::string about(double seconds) {
  if (seconds < 1) return {};
  return seconds < 100 ? fmt::format(" (about {:.0f} s)", seconds) : fmt::format(" (about {})", duration_text(seconds));
}

}  // namespace

void Doing::begin(What what, std::int64_t completed, double seconds) {
  const std::lock_guard lock(mutex_);
  what_ = what;
  completed_ = completed;
  end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void Doing::saved(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  saved_ = step;
}

std::string Doing::answer(std::string_view again) const {
  const std::lock_guard lock(mutex_);
  const std::string at_once = fmt::format("{} again stops at once", again);
  const bool all_saved = saved_ == completed_ || completed_ == 0;
  const std::string lost = all_saved    ? ""
                           : saved_ > 0 ? fmt::format(" and loses the steps since step {}", saved_)
                                        : " and loses all steps";
  switch (what_) {
    case What::starting:
      return fmt::format("stopping: before the next step; {}", at_once);
    case What::compiling:
      return fmt::format("stopping: when the next step is compiled{}; {}{}", all_saved ? "" : ", a checkpoint is saved",
                         at_once, lost);
    case What::stepping:
      return fmt::format("stopping: after this step{} a checkpoint is saved; {}{}",
                         about(std::chrono::duration<double>(end_ - Clock::now()).count()), at_once,
                         all_saved ? " and loses this step" : lost);
    case What::evaluating:
      return fmt::format("stopping: after this batch of the evaluation{}; {}{}",
                         all_saved ? fmt::format("; the checkpoint of step {} is there", saved_) : " a checkpoint is saved",
                         at_once, lost);
    case What::saving:
      return fmt::format("stopping: when the checkpoint of step {} is saved; {}{}", completed_, at_once, lost);
  }
  return at_once;
}

}  // namespace qfw

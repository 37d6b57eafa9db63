#include "run/observers/observers.h"

namespace qfw {

std::vector<std::unique_ptr<RunObserver>> observers_of(const Recipe& recipe) {
  std::vector<std::unique_ptr<RunObserver>> all;
  all.push_back(make_log_lines());
  all.push_back(make_run_record());
  all.push_back(make_series());
  if (recipe.metrics().tensorboard) all.push_back(make_event_curves());
  all.push_back(make_progress_line());
  all.push_back(make_report());
  return all;
}

}  // namespace qfw

#include "run/observers/observers.h"

namespace qfw {

std::vector<std::unique_ptr<RunObserver>> observers_of(const Recipe& recipe) {
  std::vector<std::unique_ptr<RunObserver>> all;
  all.push_back(make_log_lines());
  all.push_back(make_run_record());
  all.push_back(make_setup());
  all.push_back(make_series());
  all.push_back(make_layers());
  all.push_back(make_evaluation());
  if (recipe.metrics().tensorboard) all.push_back(make_event_curves());
  all.push_back(make_progress_line());
  all.push_back(make_report());
  all.push_back(make_status());
  return all;
}

}  // namespace qfw

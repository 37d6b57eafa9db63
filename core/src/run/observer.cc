#include "run/observer.h"

namespace qfw {

RunObserver::~RunObserver() = default;

void Speed::add(double step_seconds, std::int64_t batch) {
  seconds += step_seconds;
  ++steps;
  const double now = static_cast<double>(batch) / step_seconds;
  recent = recent == 0 ? now : 0.95 * recent + 0.05 * now;
  average = seconds > 0 ? static_cast<double>(steps * batch) / seconds : 0;
}

}  // namespace qfw

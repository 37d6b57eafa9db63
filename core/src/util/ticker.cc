#include "util/ticker.h"

#include <system_error>

#include "util/signals.h"

namespace qfw {

Ticker::Ticker(std::chrono::milliseconds period, std::function<void()> tick) : period_(period), tick_(std::move(tick)) {
  const StartsThreads without_signals;
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  } catch (const std::system_error&) {
  }
}

void Ticker::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (auto next = std::chrono::steady_clock::now() + period_;; next += period_) {
    never_.wait_until(lock, stop, next, [] { return false; });
    if (stop.stop_requested()) return;
    tick_();
  }
}

}  // namespace qfw

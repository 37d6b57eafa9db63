#pragma once

namespace qfw {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP only sets a flag, so that long work can save and stop; a second one ends
/// the process as usual. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  static bool requested();
};

}  // namespace qfw

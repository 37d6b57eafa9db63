#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace qfw {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP sets a flag, so that long work can save and stop, and is answered at
/// once with a line of the log; a second one ends the process as usual. One at a time.
class InterruptGuard {
 public:
  /// What will happen now, and what a second signal (`again`: "Ctrl-C", "SIGTERM") costs. Called in a thread of the guard's,
  /// while the work goes on.
  using Answer = std::function<std::string(std::string_view again)>;
  explicit InterruptGuard(Answer answer);
  explicit InterruptGuard(std::string what);  ///< "WHAT; Ctrl-C again stops at once"
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  static bool requested();

 private:
  void serve();

  Answer answer_;
  std::thread speaker_;
};

/// From now on a signal of these that ends the process leaves the terminal's line clean.
void leave_line_clean_at_signals();

}  // namespace qfw

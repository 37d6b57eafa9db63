#include "util/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace qfw {

namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_signal(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

/// What is ignored stays so: of a background job, or of one that nohup started.
void listen(bool on) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(number, on ? on_signal : SIG_DFL) == SIG_IGN) std::signal(number, SIG_IGN);
  }
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  listen(true);
}

InterruptGuard::~InterruptGuard() { listen(false); }

bool InterruptGuard::requested() { return interrupted != 0; }

}  // namespace qfw

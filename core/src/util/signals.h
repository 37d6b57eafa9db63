#pragma once

#include <csignal>

namespace qfw {

/// While it lives, threads that the caller starts get no signals: those stay with the threads that expect them. All but what a
/// thread's own faults send, which must find their handlers.
class StartsThreads {
 public:
  StartsThreads() {
    sigset_t others;
    sigfillset(&others);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&others, fault);
    pthread_sigmask(SIG_SETMASK, &others, &before_);
  }
  StartsThreads(const StartsThreads&) = delete;
  StartsThreads& operator=(const StartsThreads&) = delete;
  ~StartsThreads() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace qfw

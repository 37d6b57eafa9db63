#include "util/interrupt.h"

#include <fmt/format.h>
#include <semaphore.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "io/log.h"
#include "io/terminal.h"
#include "qfw/error.h"
#include "qfw/interrupt.h"
#include "util/signals.h"

namespace qfw {

namespace {

constexpr std::array numbers = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> received = 0;  ///< under a guard: the first signal
static_assert(std::atomic<int>::is_always_lock_free);
sem_t wake;  ///< the guard's thread; posted by the handler, which may outlast the guard by a moment
std::array<struct sigaction, numbers.size()> before;

/// The signal stays blocked until the handler returns, and then does what it does by default.
extern "C" void end_process(int number) {
  Terminal::leave_clean();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

extern "C" void note_signal(int number) {
  const int error = errno;
  if (received.exchange(number) != 0) return end_process(number);
  sem_post(&wake);
  errno = error;
}

struct sigaction handled_by(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return action;
}

std::string_view name_of(int number) { return number == SIGINT ? "Ctrl-C" : number == SIGTERM ? "SIGTERM" : "SIGHUP"; }

}  // namespace

InterruptGuard::InterruptGuard(Answer answer) : answer_(std::move(answer)) {
  static const int made = sem_init(&wake, 0, 0);
  static_cast<void>(made);
  while (sem_trywait(&wake) == 0) {  // of the guard before
  }
  received = 0;
  try {
    const StartsThreads without_signals;
    speaker_ = std::thread([this] { serve(); });
  } catch (const std::system_error&) {  // then nobody answers, and all else is as ever
  }
  const struct sigaction action = handled_by(note_signal);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    sigaction(numbers[i], &action, &before[i]);
    // What nohup started stays with it. An ignored SIGINT is only what shells give to background jobs.
    if (numbers[i] == SIGHUP && before[i].sa_handler == SIG_IGN) sigaction(numbers[i], &before[i], nullptr);
  }
}

InterruptGuard::InterruptGuard(std::string what)
    : InterruptGuard([what = std::move(what)](std::string_view again) {
        return fmt::format("{}; {} again stops at once", what, again);
      }) {}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < numbers.size(); ++i) sigaction(numbers[i], &before[i], nullptr);
  sem_post(&wake);
  if (speaker_.joinable()) speaker_.join();
}

void InterruptGuard::serve() {
  while (sem_wait(&wake) != 0 && errno == EINTR) {
  }
  const int number = received;
  if (number == 0) return;
  try {
    Terminal::standard_error().clear_typed();
    logger().warn("{}", answer_(name_of(number)));
  } catch (...) {  // said or not, the work stops
  }
}

bool InterruptGuard::requested() { return received != 0; }

void stop_if_interrupted(std::string_view tag) {
  if (InterruptGuard::requested()) fail(Error::Category::interrupted, tag, "interrupted");
}

void leave_line_clean_at_signals() {
  Terminal::standard_error();
  const struct sigaction action = handled_by(end_process);
  for (const int number : numbers) {
    struct sigaction now {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler == SIG_DFL) sigaction(number, &action, nullptr);
  }
}

}  // namespace qfw

#include "group.h"

#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <exception>
#include <utility>

#include "qfw/error.h"

namespace qfw::threads {

Group::~Group() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  work_here_.notify_all();
  if (helper_.joinable()) helper_.join();
}

void Group::stopped() const {
  if (!mismatch_.empty()) fail(Error::Category::internal, "threads", mismatch_);
  fail(Error::Category::device, "threads", "another replica of this run could not go on");
}

std::shared_ptr<Exchange> Group::join(int rank, const Call& call, std::span<std::byte> data) {
  const std::scoped_lock lock(mutex_);
  if (aborted_) stopped();
  const auto place = static_cast<std::size_t>(rank);
  const std::size_t number = next_[place]++ - complete_;
  if (number == incomplete_.size()) incomplete_.push_back(std::make_shared<Exchange>(call, size()));
  const std::shared_ptr<Exchange> exchange = incomplete_[number];
  if (exchange->call != call) {
    mismatch_ =
        fmt::format("replicas meet in different calls: {}, and {} on replica {}", exchange->call.str(), call.str(), rank);
    aborted_ = true;
    changed_.notify_all();
    stopped();
  }
  exchange->parts[place] = data;
  if (++exchange->joined == size()) {
    exchange->ready = true;
    exchange->done = exchange->chunks() == 0;
    incomplete_.pop_front();  // each replica comes to all before this one first
    ++complete_;
    changed_.notify_all();
    work_here_.notify_one();
  }
  return exchange;
}

void Group::in_background(const std::shared_ptr<Exchange>& exchange) {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(exchange->in_background, true)) return;
  background_.push_back(exchange);  // so their order is the one in which they are started
  work_here_.notify_one();
  if (helper_.joinable()) return;
  sigset_t all, before;  // signals belong to the threads of the program
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::exception_ptr error;
  try {
    helper_ = std::thread([this] { serve(); });
  } catch (...) {
    error = std::current_exception();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) std::rethrow_exception(error);
}

/// Takes chunks of a ready exchange until none is left.
void Group::work(Exchange& exchange, Lock& lock) {
  const std::size_t all = exchange.chunks();
  while (!aborted_ && exchange.next_chunk < all) {
    const std::size_t chunk = exchange.next_chunk++;
    ++working_;
    lock.unlock();
    std::exception_ptr error;
    try {
      exchange.work(chunk);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    --working_;
    if (error) {
      aborted_ = true;
      changed_.notify_all();
      std::rethrow_exception(error);
    }
    exchange.done = ++exchange.chunks_done == all;
    if (exchange.done || aborted_) changed_.notify_all();
  }
}

void Group::wait(Exchange& exchange) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return exchange.ready || aborted_; });
  work(exchange, lock);
  changed_.wait(lock, [&] { return exchange.done || (aborted_ && working_ == 0); });
  if (!exchange.done) stopped();
}

void Group::serve() {
  Lock lock(mutex_);
  for (;;) {
    work_here_.wait(lock, [&] { return ending_ || (!background_.empty() && background_.front()->ready); });
    if (ending_) return;
    const std::shared_ptr<Exchange> exchange = background_.front();
    background_.pop_front();
    work(*exchange, lock);
  }
}

void Group::abort() noexcept {
  Lock lock(mutex_);
  aborted_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return working_ == 0; });
}

}  // namespace qfw::threads

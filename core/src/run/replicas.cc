#include "run/replicas.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "qfw/local_replica.h"
#include "util/processor_share.h"
#include "util/signals.h"

namespace qfw {

namespace {

thread_local LocalReplica replica_being_made;

/// While it lives, local_replica() of the calling thread is that.
class Making {
 public:
  explicit Making(LocalReplica replica) : before_(std::exchange(replica_being_made, replica)) {}
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
  ~Making() { replica_being_made = before_; }

 private:
  LocalReplica before_;
};

/// While it lives, the calling thread may use only the i-th of `count` shares of the processors: what a backend made meanwhile
/// takes as the machine.
class ShareOfProcessors {
 public:
  ShareOfProcessors(int i, int count) {
    CPU_ZERO(&before_);
    known_ = pthread_getaffinity_np(pthread_self(), sizeof before_, &before_) == 0;
    if (!known_ || count == 1) return;
    std::vector<int> processors;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) processors.push_back(cpu);
    }
    const auto all = static_cast<int>(processors.size());
    const int begin = all >= count ? all * i / count : i % all, end = all >= count ? all * (i + 1) / count : begin + 1;
    cpu_set_t share;
    CPU_ZERO(&share);
    for (int k = begin; k < end; ++k) CPU_SET(processors[static_cast<std::size_t>(k)], &share);
    pthread_setaffinity_np(pthread_self(), sizeof share, &share);
  }
  ShareOfProcessors(const ShareOfProcessors&) = delete;
  ShareOfProcessors& operator=(const ShareOfProcessors&) = delete;
  ~ShareOfProcessors() {
    if (known_) pthread_setaffinity_np(pthread_self(), sizeof before_, &before_);
  }

 private:
  cpu_set_t before_;
  bool known_ = false;
};

}  // namespace

LocalReplica local_replica() { return replica_being_made; }

/// Threads that do the same work at the same time.
class Replicas::Crew {
 public:
  explicit Crew(Communicator& first) : first_(first), errors_(static_cast<std::size_t>(first.local_size())) {
    const StartsThreads without_signals;
    for (int i = 0; i < first.local_size(); ++i)
      threads_.emplace_back([this, i](const std::stop_token& stop) { serve(i, stop); });
  }

  void run(const std::function<void(int)>& work) {
    std::unique_lock lock(mutex_);
    work_ = &work;
    ++job_;
    busy_ = static_cast<int>(threads_.size());
    failed_ = -1;
    begin_.notify_all();
    done_.wait(lock, [this] { return busy_ == 0; });
    if (failed_ >= 0) std::rethrow_exception(errors_[static_cast<std::size_t>(failed_)]);
  }

 private:
  void serve(int i, const std::stop_token& stop) {
    for (unsigned seen = 0;; ++seen) {
      std::unique_lock lock(mutex_);
      if (!begin_.wait(lock, stop, [&] { return job_ != seen; })) return;
      const auto& work = *work_;
      lock.unlock();
      std::exception_ptr error;
      try {
        work(i);
      } catch (...) {
        error = std::current_exception();
        first_.abort();
      }
      lock.lock();
      if (error && failed_ < 0) failed_ = i;  // the others fail because this one did
      errors_[static_cast<std::size_t>(i)] = error;
      if (--busy_ == 0) done_.notify_all();
    }
  }

  Communicator& first_;
  std::mutex mutex_;
  std::condition_variable_any begin_;
  std::condition_variable done_;
  const std::function<void(int)>* work_ = nullptr;
  unsigned job_ = 0;
  int busy_ = 0, failed_ = -1;
  std::vector<std::exception_ptr> errors_;
  std::vector<std::jthread> threads_;  // the last member: they end before what they use
};

Replicas::Replicas(const Recipe& recipe) : communicator_(recipe.make<Communicator>()) {
  const int count = communicator_->local_size();
  backends_.resize(static_cast<std::size_t>(count));
  if (count > 1) crew_ = std::make_unique<Crew>(*communicator_);
  for (int i = 0; i < count; ++i) {
    const ShareOfProcessors share(i, count);
    const QuotaShare quota(count);
    const Making making({i, count});
    backends_[static_cast<std::size_t>(i)] = recipe.make<Backend>();
  }
}

Replicas::~Replicas() = default;

void Replicas::each(const std::function<void(int)>& work) {
  if (crew_) {
    crew_->run(work);
  } else {
    work(0);
  }
}

bool Replicas::any(bool here) {
  if (alone()) return here;
  const std::vector<std::byte> mine{static_cast<std::byte>(here)};
  const auto all = gather(std::vector(backends_.size(), mine));
  return std::ranges::any_of(all, [&](const auto& each) { return each.at(0) != std::byte{0}; });
}

std::vector<std::vector<std::byte>> Replicas::gather(std::vector<std::vector<std::byte>> mine) {
  if (alone()) return mine;
  std::vector<std::vector<std::byte>> all;
  each([&](int i) {
    auto gathered = communicator(i).all_gather(mine[static_cast<std::size_t>(i)]);
    if (i == 0) all = std::move(gathered);
  });
  return all;
}

void Replicas::barrier() {
  if (!alone()) each([&](int i) { communicator(i).barrier(); });
}

void Replicas::write(std::string_view variable, HostView from) {
  for (const auto& backend : backends_) backend->write(variable, from);
}

void Replicas::read(std::string_view variable, HostTensor to) const { backend().read(variable, to); }

}  // namespace qfw

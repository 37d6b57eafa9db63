#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "exchange.h"
#include "qfw/communicator.h"

namespace qfw::threads {

/// What the replicas of one process share: the exchanges under way, each begun when the first replica comes to it and ready
/// when the last does. Then its chunks are worked off by the replicas that wait for it and, where they may go on, by a thread
/// of the group's own. That one is made with the first start() of a run.
class Group {
 public:
  explicit Group(int size) : next_(static_cast<std::size_t>(size)) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group();

  int size() const { return static_cast<int>(next_.size()); }

  /// The next exchange of this replica, with its data. Throws on all replicas if they come with different calls.
  std::shared_ptr<Exchange> join(int rank, const Call& call, std::span<std::byte> data);
  /// Lets the group's thread work on it.
  void in_background(const std::shared_ptr<Exchange>& exchange);
  /// Returns when it is done; throws on all replicas once one has aborted, and nothing works on it any more.
  void wait(Exchange& exchange);
  void abort() noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;

  void work(Exchange& exchange, Lock& lock);
  void serve();
  [[noreturn]] void stopped() const;

  std::mutex mutex_;
  std::condition_variable changed_, work_here_;
  std::vector<std::size_t> next_;                     ///< by rank: how many exchanges it has come to
  std::deque<std::shared_ptr<Exchange>> incomplete_;  ///< some replica has yet to come
  std::size_t complete_ = 0;                          ///< how many came before those
  std::deque<std::shared_ptr<Exchange>> background_;
  int working_ = 0;  ///< threads that touch data
  std::string mismatch_;
  bool aborted_ = false, ending_ = false;
  std::thread helper_;
};

}  // namespace qfw::threads

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace qfw {

/// Calls `tick`, which does not throw, every `period` in a thread of its own, from one period after it was made until it ends.
/// Without a thread, should there be none to be had, it does nothing.
class Ticker {
 public:
  Ticker(std::chrono::milliseconds period, std::function<void()> tick);
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  ~Ticker() = default;  ///< waits for a call that goes on

 private:
  void serve(const std::stop_token& stop);

  std::chrono::milliseconds period_;
  std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable_any never_;
  std::jthread thread_;  // the last member: it ends before what it uses
};

}  // namespace qfw

#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace qfw {

/// What a run is doing, kept for the moment at which it is asked to stop. Thread-safe.
class Doing {
 public:
  enum class What { starting, compiling, stepping, evaluating, saving };

  /// After so many completed steps; `seconds` that it is going to take, 0 if that is not known.
  void begin(What what, std::int64_t completed, double seconds = 0);
  void saved(std::int64_t step);  ///< -1: nothing was yet

  /// What will happen now that it is to stop, and what it costs to insist: "stopping: after this step (about 12 s) a checkpoint
  /// is saved; Ctrl-C again stops at once and loses the steps since step 40".
  std::string answer(std::string_view again) const;

 private:
  mutable std::mutex mutex_;
  What what_ = What::starting;
  std::int64_t completed_ = 0, saved_ = -1;
  std::chrono::steady_clock::time_point end_{};  ///< expected
};

}  // namespace qfw

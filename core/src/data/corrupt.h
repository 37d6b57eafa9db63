#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qfw/error.h"

namespace qfw {

/// What a run does about examples that cannot be read or decoded, and which ones it has met. One for all pipelines of a run;
/// thread-safe.
class CorruptExamples {
 public:
  /// `skip`: go on without them, up to `limit` distinct ones.
  CorruptExamples(bool skip, std::int64_t limit) : skip_(skip), limit_(limit) {}

  /// Counts and logs an example the first time it is met. Throws `error` again if nothing is to be skipped, and an error that
  /// says so beyond the limit.
  void met(std::string_view split, std::int64_t index, const Error& error);

  std::int64_t count() const;
  std::vector<std::string> messages() const;  ///< of each, in the order met

 private:
  const bool skip_;
  const std::int64_t limit_;
  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::int64_t>> known_;
  std::vector<std::string> messages_;
};

}  // namespace qfw

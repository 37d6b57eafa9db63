#pragma once

#include <string>

#include "qfw/denormals.h"

namespace qfw::cpu {

struct DefaultThreads {
  int count;
  std::string why;  ///< for describe(); empty: they are all that the machine has
};
/// OMP_NUM_THREADS if it is set, else one for each physical core that this process may use (qfw/processors.h).
DefaultThreads default_threads();

/// While it lives, parallel regions of this thread (ours and oneDNN's) use exactly `threads`, and all of these treat
/// denormals as zero. Restores what the calling thread had; the others go on so.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
  ~ThreadScope();

 private:
  int threads_before_;
  int dynamic_before_;
  FlushDenormals flush_;  ///< of the calling thread
};

}  // namespace qfw::cpu

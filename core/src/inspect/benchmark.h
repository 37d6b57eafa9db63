#pragma once

#include <optional>

#include "inspect/profile.h"
#include "inspect/trace.h"
#include "run/session.h"

namespace qfw {

struct Benchmark {
  std::string phase;                             ///< that was timed
  std::int64_t batch = 0;                        ///< of all replicas together
  bool interrupted = false;                      ///< fewer steps were timed than asked for
  std::vector<double> milliseconds;              ///< of each timed step
  Profile profile;                               ///< of the first replica
  Ceilings ceilings;                             ///< of each replica
  std::int64_t arena_bytes = 0, peak_bytes = 0;  ///< peak: resident memory of the process
  std::int64_t huge_page_bytes = 0;              ///< of the process after the last step, what lies on huge pages
  /// What the machine could do if it did nothing but the multiplications; none: not known.
  std::optional<double> peak_images_per_second;

  double median_milliseconds() const;
  double images_per_second() const { return 1000 * static_cast<double>(batch) / median_milliseconds(); }
  std::optional<double> peak_share() const {
    return peak_images_per_second ? std::optional(images_per_second() / *peak_images_per_second) : std::nullopt;
  }
};

struct BenchmarkOptions {
  std::int64_t steps = 10;
  bool training = true;
  bool bandwidth = false;      ///< whether that of memory is measured, afterwards
  TraceFile* trace = nullptr;  ///< takes the timed steps, if any
};

/// Times steps on random images, without a data set: training steps in their last phase (each earlier phase runs once, so that
/// bounds are set), or evaluation. Ctrl-C ends it early.
Benchmark benchmark(Session& session, const BenchmarkOptions& options);

}  // namespace qfw

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/task_row.h"

namespace qfw {

/// What a device does at best, alone or, where replicas share a machine, as each of them gets it.
struct Ceilings {
  Backend::Peak peak;
  double bandwidth = 0;  ///< bytes a second; 0: not known

  /// How long these take at the peak; none: that is not known.
  std::optional<double> multiplying_milliseconds(double multiplications, DType operands) const;
  std::optional<double> moving_milliseconds(double bytes) const;
};

/// Where the time of a step goes: each task with its mean over the steps that were timed.
struct Profile {
  struct Row : TaskRow {
    double milliseconds = 0;
  };
  std::vector<Row> rows;            ///< in the order of a run
  std::vector<std::string> layers;  ///< in the order of the network

  double milliseconds() const;  ///< of all tasks

  /// By kind of work, longest first.
  struct Kind {
    std::string kind;
    double milliseconds = 0;
    std::int64_t calls = 0;
  };
  std::vector<Kind> by_kind() const;
};

/// The longer of a task's multiplications at the peak and its bytes at memory's bandwidth, as far as these are known.
double ceiling_milliseconds(const TaskRow& row, const Ceilings& ceilings);

/// Of a whole step: its tasks one after the other, each at its own ceiling.
struct StepCeiling {
  double milliseconds = 0;
  bool all_peaks_known = true;  ///< else some products count with their bytes alone: the ceiling is higher than can be reached
};
StepCeiling ceiling_of(const Profile& profile, const Ceilings& ceilings);

/// Notes the runs of one executable while steps are timed.
class Profiler {
 public:
  /// Both outlive it. `keep`: every run is kept for a trace, not only their mean.
  Profiler(const Graph& graph, Executable& executable, bool keep);
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;
  ~Profiler();

  void add_run();  ///< the executable's last one
  Profile profile() const;
  const std::vector<TaskRow>& rows() const { return rows_; }
  /// Of each run, the intervals of its tasks.
  const std::vector<std::vector<Executable::Interval>>& runs() const { return kept_; }

 private:
  Executable& executable_;
  bool keep_;
  std::vector<TaskRow> rows_;
  std::vector<std::string> layers_;
  std::vector<double> milliseconds_;  ///< of each task, over all runs
  std::vector<std::vector<Executable::Interval>> kept_;
  std::int64_t runs_ = 0;
};

}  // namespace qfw

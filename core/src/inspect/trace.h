#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "inspect/profile.h"
#include "qfw/atomic_file.h"

namespace qfw {

/// Timed steps as a file for Perfetto and chrome://tracing: the Trace Event Format, complete events in microseconds since the
/// first step began. Each replica of the process has a row with its steps and, inside of them, their tasks; what it exchanges
/// with others stands on a second one.
class TraceFile {
 public:
  /// Refuses a place that cannot be written to. `title` names the process in the trace.
  TraceFile(const std::filesystem::path& file, std::string title);

  struct Step {
    std::chrono::steady_clock::time_point begin, end;
  };
  /// The tasks of one replica, and their intervals: a run for each step. Both are the caller's.
  struct Replica {
    int rank = 0;
    const std::vector<TaskRow>* rows = nullptr;
    const std::vector<std::vector<Executable::Interval>>* runs = nullptr;
  };
  /// Writes it all; the file appears.
  void write(const std::vector<Step>& steps, const std::vector<Replica>& replicas);

 private:
  AtomicFile file_;
  std::string title_;
};

}  // namespace qfw

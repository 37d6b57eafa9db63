#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/run_folder.h"
#include "run/history.h"
#include "run/scores.h"
#include "run/session.h"

namespace qfw {

/// Of the steps of this process, without evaluations and checkpoints.
struct Speed {
  std::int64_t steps = 0;
  double seconds = 0;
  double recent = 0;   ///< images per second, the last steps counting most
  double average = 0;  ///< images per second
  /// Processors' worth of time that the compute threads had, of those they wanted (run/cores.h); none: not known (yet).
  std::optional<double> cores;
  std::optional<double> recent_cores;  ///< over the last half minute
  double decoding_cores = 0;           ///< what decoding took meanwhile, where that is known

  void add(double step_seconds, std::int64_t batch);
};

/// A run while it goes on. Observers only look at it.
struct RunView {
  Session& session;
  const RunFolder& folder;
  const History& history;
  const std::vector<std::string>& notes;  ///< see run/notes.h
  std::int64_t completed = 0;             ///< steps
  Speed speed;
};

struct StepResult {
  std::int64_t number = 0;  ///< the first is 0
  float loss = 0, rate = 0;
  double accuracy = 0;  ///< of this process's share of the batch
  bool evaluation_follows = false, save_follows = false;
};

struct EvaluationResult {
  Scores scores;
  bool best = false;
};

enum class Ending { finished, interrupted, diverged, failed };

/// Someone who writes down or shows what happens in a run. Told in the trainer's thread and in this order, by the process that
/// leads the run alone:
///
///     started  ( step  [ saved  evaluated  [ saved ] ]  [ saved ] )...  ended
///
/// A run that goes on may begin with an evaluation that was cut short, and ends with one and with a checkpoint; an evaluation
/// that an interrupt cuts short is not told. `ended` comes once, whatever ends the run after `started`.
/// Whoever throws Error stops the run, as is right where its result cannot be written; what can be done without is warned of
/// and left out.
class RunObserver {
 public:
  RunObserver() = default;
  RunObserver(const RunObserver&) = delete;
  RunObserver& operator=(const RunObserver&) = delete;
  virtual ~RunObserver();

  virtual void started(const RunView&) {}
  virtual void step(const RunView&, const StepResult&) {}
  virtual void evaluated(const RunView&, const EvaluationResult&) {}
  virtual void saved(const RunView&, const std::filesystem::path&) {}
  virtual void ended(const RunView&, Ending, const std::string& /*error*/) {}
};

}  // namespace qfw

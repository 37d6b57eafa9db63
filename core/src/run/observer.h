#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "inspect/explanation.h"
#include "io/run_folder.h"
#include "run/evaluate.h"
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
  /// What the steps would have taken at the machine's peak; none as soon as that is not known of one.
  std::optional<double> peak_seconds = 0.0;

  /// `peak`: images per second that the machine could do in this step's phase.
  void add(double step_seconds, std::int64_t batch, std::optional<double> peak);
  std::optional<double> peak_share() const;  ///< of the machine's peak, by all steps
};

/// What is known of a run before its first step.
struct Course {
  Explanation explanation;
  Backend::Peak peak;

  /// That a step is in; none of a run without any.
  const Explanation::PhaseRow* phase(std::int64_t step) const;
  const Explanation::PhaseRow* phase_after(std::int64_t step) const;  ///< the next one
  /// What the machine could do in a step.
  std::optional<double> peak_images_per_second(std::int64_t step) const;
};

/// A run while it goes on. Observers only look at it.
struct RunView {
  Session& session;
  const RunFolder& folder;
  const History& history;
  const std::vector<std::string>& notes;  ///< see run/notes.h
  const Course& course;                   ///< empty before `started`
  std::int64_t completed = 0;             ///< steps
  Speed speed;

  double epoch() const;                             ///< completed, with its fraction
  std::int64_t epochs() const;                      ///< of the whole run, the last one perhaps not whole
  std::optional<double> seconds_left() const;       ///< of training, at the speed of the last steps
  std::optional<double> recent_peak_share() const;  ///< of the machine's peak, in the last steps
};

struct StepResult {
  std::int64_t number = 0;  ///< the first is 0
  float loss = 0, rate = 0;
  double accuracy = 0;  ///< of this process's share of the batch
  float loss_scale = 1;
  bool skipped = false;  ///< it changed nothing: its gradients, so scaled, were not all finite
  bool evaluation_follows = false, save_follows = false;
};

struct EvaluationResult {
  Scores scores;
  bool best = false;
  EvaluationDetails details{};
};

/// What a run does when it takes no step.
struct Busy {
  enum class With { compiling, evaluating, saving };
  With with{};
  std::int64_t done = 0, of = 0;  ///< images, while evaluating
};

enum class Ending { finished, interrupted, diverged, failed };
const char* name_of(Ending ending);

/// Someone who writes down or shows what happens in a run. Told in the trainer's thread and in this order, by the process that
/// leads the run alone:
///
///     already_finished, or
///     starting  started  ( step  [ saved  evaluated  [ saved ] ]  [ saved ] )...  ended
///
/// `already_finished` comes where nothing is left to train or to evaluate, and nothing else does then: what can be made of the
/// newest checkpoint is made again where it is missing or damaged. `starting` comes once it is sure that this recipe goes on
/// with what is in the folder, and before all that takes long; if one of these steps fails, `failed_to_start` follows and
/// nothing else. `busy` may come anywhere behind `starting`, several times for one thing. A run that goes on may begin with an
/// evaluation that was cut short, and ends with one and with a checkpoint; an evaluation that an interrupt cuts short is not
/// told. `ended` comes once, whatever ends the run after `started`. Whoever throws Error stops the run, as is right where its
/// result cannot be written; what can be done without is warned of and left out.
class RunObserver {
 public:
  RunObserver() = default;
  RunObserver(const RunObserver&) = delete;
  RunObserver& operator=(const RunObserver&) = delete;
  virtual ~RunObserver();

  virtual void already_finished(const RunView&) {}
  virtual void starting(const RunView&) {}
  virtual void failed_to_start(const RunView&, const std::string& /*error*/) {}
  virtual void started(const RunView&) {}
  virtual void busy(const RunView&, const Busy&) {}
  virtual void step(const RunView&, const StepResult&) {}
  virtual void evaluated(const RunView&, const EvaluationResult&) {}
  virtual void saved(const RunView&, const std::filesystem::path&) {}
  virtual void ended(const RunView&, Ending, const std::string& /*error*/) {}
};

}  // namespace qfw

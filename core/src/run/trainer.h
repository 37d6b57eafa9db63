#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint_folder.h"
#include "io/event_file.h"
#include "io/progress.h"
#include "io/run_folder.h"
#include "run/history.h"
#include "run/session.h"
#include "run/training_feed.h"

namespace qfw {

/// Feeds steps: trains a recipe in its run folder from the newest checkpoint there, or from the beginning.
class Trainer {
 public:
  enum class Outcome { finished, already_finished, interrupted };

  explicit Trainer(const Recipe& recipe);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  ~Trainer();

  /// Throws if a step's loss is not finite, naming the step and the first layer that produced it; the variables are then those
  /// from before that step. Ctrl-C saves a checkpoint and returns.
  Outcome run();

  const History& history() const { return history_; }
  std::int64_t completed() const { return completed_; }
  double images_per_second() const;
  const RunFolder& folder() const { return folder_; }
  const Session& session() const { return session_; }

 private:
  /// A checkpoint written before an evaluation only bridges the time to the next one.
  enum class Keep { lasting, until_next };

  void start();
  bool resume();
  void check_same_seed(const CheckpointInfo& info) const;
  bool is_complete() const;
  bool report_fits() const;
  void report_failure(const Error& error);
  void open_events();
  Outcome train();
  void step(std::int64_t number);
  [[noreturn]] void stop_on_bad_loss(std::int64_t number, const std::string& origin);
  void log_step(std::int64_t number);
  void log_observed(std::int64_t number);
  bool evaluates_after(std::int64_t number) const;
  void evaluate_now();
  void evaluate_unless_interrupted();
  bool saves_after(std::int64_t completed) const;
  void save(const std::filesystem::path& path);
  void save_checkpoint(Keep keep);
  void write_report(const char* status, const char* error = nullptr);
  Progress::Figures figures() const;

  Session session_;
  RunFolder folder_;
  CheckpointFolder checkpoints_;
  History history_;
  std::vector<std::string> notes_;
  std::string data_record_;
  std::unique_ptr<EventFile> events_;
  std::vector<Session::Curve> observed_;              ///< what quantizers want shown, if metrics.bounds asks for it
  std::vector<std::unique_ptr<TrainingFeed>> feeds_;  ///< one for each replica of this process
  std::unique_ptr<Progress> progress_;

  std::int64_t completed_ = 0, saved_at_ = -1, saved_evaluation_ = -1;
  std::optional<std::int64_t> passing_;  ///< step of the checkpoint kept until the next
  float rate_ = 0, loss_ = 0;            // of the last step
  double accuracy_ = 0;
  // Speed, without evaluations and checkpoints.
  double seconds_ = 0, recent_speed_ = 0;
  std::int64_t steps_here_ = 0;
};

}  // namespace qfw

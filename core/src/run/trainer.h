#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/checkpoint_folder.h"
#include "io/run_folder.h"
#include "run/cores.h"
#include "run/doing.h"
#include "run/history.h"
#include "run/observer.h"
#include "run/session.h"
#include "run/training_feed.h"

namespace qfw {

/// Feeds steps: trains a recipe in its run folder from the newest checkpoint there, or from the beginning. Of several processes
/// that train one run each has a trainer; they save, evaluate and stop after the same steps, and the one that leads writes.
class Trainer {
 public:
  enum class Outcome { finished, already_finished, interrupted };

  explicit Trainer(const Recipe& recipe);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  ~Trainer();

  /// Is told of the run after those of the recipe; before run().
  void add(std::unique_ptr<RunObserver> observer) { observers_.push_back(std::move(observer)); }

  /// Throws if a step's loss is not finite, naming the step and the first layer that produced it; the variables are then those
  /// from before that step. Ctrl-C saves a checkpoint and returns.
  Outcome run();

  const History& history() const { return history_; }
  std::int64_t completed() const { return completed_; }
  double images_per_second() const { return speed_.average; }
  std::optional<double> peak_share() const { return speed_.peak_share(); }  ///< of the machine's peak
  const RunFolder& folder() const { return *folder_; }
  const Session& session() const { return session_; }

 private:
  /// A checkpoint written before an evaluation only bridges the time to the next one.
  enum class Keep { lasting, until_next };

  void open_folder();
  void start();
  void look_ahead();
  std::unique_ptr<Checkpoint> accepted_checkpoint();
  void say_how_it_goes_on();
  void open_feeds();
  bool is_complete() const;
  Outcome train();
  StepResult step(std::int64_t number);
  void record(Session::Compiled& compiled, std::int64_t number);
  [[noreturn]] void stop_on_bad_loss(std::int64_t number, float loss, float rate, const std::string& origin);
  [[noreturn]] void stop_on_bad_gradients(std::int64_t number, float rate);
  void evaluate_now();
  void evaluate_unless_interrupted();
  void save(const std::filesystem::path& path);
  void save_checkpoint(Keep keep);
  RunView view() { return {session_, *folder_, history_, notes_, course_, completed_, speed_}; }
  template <class... Told, class... Given>
  void tell(void (RunObserver::*event)(const RunView&, Told...), const Given&... given) {
    for (const auto& observer : observers_) ((*observer).*event)(view(), given...);
  }
  void end(Ending ending, const std::string& error = {});
  void tell_cores();
  /// Something other than a step.
  void turn_to(Doing::What what, Busy::With busy);
  void time_step(std::chrono::steady_clock::time_point begin);

  Session session_;
  std::optional<RunFolder> folder_;
  std::optional<CheckpointFolder> checkpoints_;
  History history_;
  std::vector<std::string> notes_;
  Course course_;
  std::string data_record_;
  std::vector<std::string> other_settings_;  ///< that the run went on without so far
  std::vector<std::unique_ptr<RunObserver>> observers_;
  std::vector<std::unique_ptr<TrainingFeed>> feeds_;  ///< one for each replica of this process

  std::int64_t completed_ = 0, saved_at_ = -1, saved_evaluation_ = -1;
  std::optional<std::int64_t> passing_;  ///< step of the checkpoint kept until the next
  Speed speed_;
  Doing doing_;
  std::optional<CoresHad> cores_;
  bool starting_ = false, started_ = false, ended_ = false;
  std::set<std::string> recorded_phases_;  ///< in this start: their implementations
  bool told_implementations_ = false;      ///< that they are others, or could not be written down
};

}  // namespace qfw

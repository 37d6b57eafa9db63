#include "run/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "io/log.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "run/data_record.h"
#include "run/evaluate.h"
#include "run/fewer_images.h"
#include "run/implementations.h"
#include "run/notes.h"
#include "run/observers/observers.h"
#include "run/phase_check.h"
#include "run/preflight.h"
#include "run/report.h"
#include "run/same_run.h"
#include "run/step_checks.h"
#include "run/timetable.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What must be finite whenever a run is saved; of a quantizer's statistics some are not before it has seen anything.
std::vector<Variable> trained(std::vector<Variable> variables) {
  std::erase_if(variables, [](const Variable& variable) {
    return variable.kind != Variable::Kind::parameter && variable.role != Variable::Role::batch_statistics;
  });
  return variables;
}

std::vector<CheckpointVariable> for_checkpoint(const std::vector<Variable>& variables) {
  std::vector<CheckpointVariable> all;
  for (const Variable& variable : variables) all.push_back({variable.name, variable.type});
  return all;
}

}  // namespace

Trainer::Trainer(const Recipe& recipe) : session_(recipe, Session::Data::required) {
  open_folder();
  checkpoints_.emplace(folder_->checkpoints());
  cores_.emplace(session_.backend().threads() * session_.replicas().count());
  if (!session_.replicas().leads()) {
    logger().set_level(spdlog::level::err);  // one of them tells of the run
    return;
  }
  hold_log();  // a start that is refused leaves the run's log as it was
  observers_ = observers_of(session_.recipe());
}

Trainer::~Trainer() { stop_log_to_file(); }

/// The process that leads makes and locks it; the others find it there.
void Trainer::open_folder() try {
  Replicas& replicas = session_.replicas();
  if (!replicas.leads()) replicas.barrier();
  if (replicas.leads()) say_where_older_run_is(session_.recipe());
  folder_.emplace(session_.recipe().run_dir(), replicas.leads() ? RunFolder::Access::write : RunFolder::Access::read);
  if (replicas.leads()) replicas.barrier();
} catch (const Error&) {
  session_.replicas().abort();
  throw;
}

Trainer::Outcome Trainer::run() try {
  start();
  if (is_complete()) {
    tell(&RunObserver::already_finished);
    return Outcome::already_finished;
  }
  doing_.begin(Doing::What::starting, completed_);
  doing_.saved(saved_at_);
  const InterruptGuard guard([this](std::string_view again) { return doing_.answer(again); });
  open_feeds();
  tell(&RunObserver::started);  // from here on nothing but steps is waited for
  started_ = true;
  try {
    return train();
  } catch (const Error& error) {
    if (!ended_) end(history_.first_nan_step == completed_ ? Ending::diverged : Ending::failed, error.what());
    throw;
  }
} catch (const Error& error) {
  session_.replicas().abort();
  if (starting_ && !started_) tell(&RunObserver::failed_to_start, error.what());
  throw;
}

void Trainer::end(Ending ending, const std::string& error) {
  ended_ = true;
  cores_->pause();
  tell_cores();
  tell(&RunObserver::ended, ending, error);
}

/// Nothing is left to train or to evaluate.
bool Trainer::is_complete() const { return completed_ >= session_.total_steps() && history_.eval_step == completed_; }

Trainer::Outcome Trainer::train() {
  const std::int64_t total = session_.total_steps();
  // The evaluation that an interrupt or a failure cut short.
  if (completed_ > 0 && completed_ < total && evaluates_after(session_, completed_ - 1) && history_.eval_step != completed_)
    evaluate_unless_interrupted();
  while (completed_ < total) {
    if (!session_.has_training(completed_)) {
      turn_to(Doing::What::compiling, Busy::With::compiling);
      session_.training(completed_);
    }
    if (session_.replicas().any(InterruptGuard::requested())) {  // so all stop after the same step
      save_checkpoint(Keep::lasting);
      end(Ending::interrupted);
      return Outcome::interrupted;
    }
    const double expected = speed_.recent > 0 ? static_cast<double>(session_.recipe().train().batch_size) / speed_.recent : 0;
    doing_.begin(Doing::What::stepping, completed_, expected);
    cores_->go_on();
    const auto begin = std::chrono::steady_clock::now();
    StepResult result = step(completed_);
    time_step(begin);
    const std::int64_t number = completed_++;
    const Keep keep = completed_ == total || saves_after(session_, completed_) ? Keep::lasting : Keep::until_next;
    result.evaluation_follows = evaluates_after(session_, number);
    result.save_follows = keep == Keep::lasting;
    tell(&RunObserver::step, result);
    if (result.evaluation_follows) {
      save_checkpoint(keep);  // whatever becomes of the evaluation
      evaluate_unless_interrupted();
    }
    if (keep == Keep::lasting) save_checkpoint(keep);
  }
  if (history_.eval_step != completed_) evaluate_unless_interrupted();
  save_checkpoint(Keep::lasting);  // with the last evaluation
  const bool whole = history_.eval_step == completed_;
  end(whole ? Ending::finished : Ending::interrupted);
  return whole ? Outcome::finished : Outcome::interrupted;
}

void Trainer::turn_to(Doing::What what, Busy::With busy) {
  cores_->pause();
  doing_.begin(what, completed_);
  tell(&RunObserver::busy, Busy{busy});
}

void Trainer::time_step(std::chrono::steady_clock::time_point begin) {
  speed_.add(seconds_since(begin), session_.recipe().train().batch_size, course_.peak_images_per_second(completed_));
  cores_->glance();
  tell_cores();
}

void Trainer::tell_cores() {
  speed_.cores = cores_->average();
  speed_.recent_cores = cores_->recent();
  speed_.decoding_cores = cores_->decoding();
}

void Trainer::start() {
  const Recipe& recipe = session_.recipe();
  logger().info("{} in {}", recipe.description().empty() ? recipe.run_name() : recipe.description(), folder_->path().string());
  logger().info("backend {}", session_.backend().describe());
  data_record_ = data_record(session_);
  auto checkpoint = accepted_checkpoint();
  history_.ends_in(session_.evaluation_phase(session_.total_steps()));
  if (session_.replicas().leads()) {
    folder_->prepare();
    log_to_file(folder_->log());
  }
  say_how_it_goes_on();
  if (is_complete()) {
    if (session_.replicas().leads() && !report_says_finished(*folder_, completed_)) notes_ = notes_on(session_);
    return;
  }
  starting_ = true;
  tell(&RunObserver::starting);
  tell(&RunObserver::busy, Busy{Busy::With::compiling});  // until the first step
  // The step that is next; the last one where only an evaluation is left. Each declares all variables.
  session_.training(std::min(completed_, session_.total_steps() - 1));
  checkpoint ? session_.restore(*checkpoint, session_.variables()) : session_.initialize_variables();
  checkpoint.reset();  // it holds a copy of them
  {
    const Activity checking("checking the phases of the run");
    check_phases(session_, completed_);
  }
  const Activity checking("looking at the data, the disk and the recipe");
  if (session_.replicas().leads()) check_before_training(session_, *folder_, session_.variable_bytes());
  notes_ = notes_on(session_);
  if (!session_.replicas().leads()) return;
  if (std::string fewer = fewer_evaluated(session_); !fewer.empty()) notes_.push_back(std::move(fewer));
  look_ahead();
}

/// What is only told of a run must not keep it from training.
void Trainer::look_ahead() try {
  course_.peak = session_.peak();
  course_.explanation = explain(session_);
} catch (const Error& error) {
  logger().warn("layers and phases are not written down: {}", error.what());
}

void Trainer::open_feeds() {
  if (completed_ >= session_.total_steps()) return;
  for (int i = 0; i < session_.replicas().count(); ++i) {
    feeds_.push_back(std::make_unique<TrainingFeed>(session_, i, completed_));
  }
}

/// Compiles nothing, writes nothing: who is refused is told at once, and the folder stays as it was.
std::unique_ptr<Checkpoint> Trainer::accepted_checkpoint() {
  auto checkpoint = checkpoints_->newest();
  check_same_start(session_.replicas(), checkpoint ? checkpoint->info().step : -1);
  if (!checkpoint) {
    if (session_.replicas().leads()) refuse_run_without_checkpoint(folder_->path(), session_.recipe());
    return nullptr;
  }
  const auto& path = checkpoints_->newest_path();
  other_settings_ = check_same_run(checkpoint->info().recipe, session_.recipe(), path);
  check_same_data(checkpoint->info().data, data_record_, session_.recipe(), path);
  check_same_seed(checkpoint->info().seed, session_.recipe(), path);
  session_.continue_from(checkpoint->info());
  check_same_variables(checkpoint->variables(), for_checkpoint(session_.declared()), session_.recipe(), path);
  if (session_.replicas().leads()) say_if_of_another_file(folder_->path(), session_.recipe());
  completed_ = saved_at_ = checkpoint->info().step;
  history_ = History::from_metrics(checkpoint->info().metrics);
  saved_evaluation_ = history_.eval_step;
  return checkpoint;
}

void Trainer::say_how_it_goes_on() {
  if (saved_at_ < 0) return;
  if (is_complete()) {
    if (other_settings_.empty()) return;
    logger().warn("this run is finished, so what is set otherwise now is not applied: {}", fmt::join(other_settings_, "; "));
    return;
  }
  for (const std::string& each : other_settings_) logger().info("continuing with another setting: {}", each);
  logger().info("resuming after step {} from {}", completed_, checkpoints_->newest_path().filename().string());
}

StepResult Trainer::step(std::int64_t number) {
  Session::Compiled& compiled = session_.training(number);
  const auto rate = static_cast<float>(session_.rate(number));
  const bool goes_on =
      number + 1 < session_.total_steps() && session_.has_training(number + 1) && &session_.training(number + 1) == &compiled;
  std::vector<Session::Exchange> exchanges;
  for (const auto& feed : feeds_) {
    feed->next();
    exchanges.push_back({feed->feeds(compiled.graph, rate), feed->fetches(compiled.graph)});
    if (goes_on) exchanges.back().upcoming = feed->upcoming(compiled.graph);
  }
  check_codes(session_, compiled.graph, compiled.codes_checked, number, exchanges);
  session_.run(compiled, number, exchanges);
  record(compiled, number);
  const float loss = feeds_.front()->loss();
  if (!std::isfinite(loss)) {
    stop_on_bad_loss(number, loss, rate, origin_of_not_finite(session_, compiled.graph, number, exchanges));
  }
  const float scale = feeds_.front()->loss_scale();
  const bool skipped = feeds_.front()->skipped();
  if (skipped && scale <= 1) stop_on_bad_gradients(number, rate);
  if (skipped) ++history_.skipped_steps;
  Scores scores;
  for (const auto& feed : feeds_) feed->add_to(scores);
  return {.number = number, .loss = loss, .rate = rate, .accuracy = scores.top1(), .loss_scale = scale, .skipped = skipped};
}

/// After its first run: who reduces over replicas is known by then.
void Trainer::record(Session::Compiled& compiled, std::int64_t number) try {
  if (std::exchange(compiled.recorded, true) || !session_.replicas().leads()) return;
  const std::string phase = session_.phase_text(session_.clock(number, true));
  if (!recorded_phases_.insert(phase).second) return;
  const std::vector<Executable::Task> tasks = compiled.executables.front()->tasks();
  const std::string others = record_implementations(folder_->environment(), number, phase, tasks);
  if (others.empty() || std::exchange(told_implementations_, true)) return;
  logger().warn("{}", others);
  notes_.push_back(others);
} catch (const Error& error) {
  if (!std::exchange(told_implementations_, true)) logger().warn("implementations are not written down: {}", error.what());
}

void Trainer::stop_on_bad_loss(std::int64_t number, float loss, float rate, const std::string& origin) {
  history_.first_nan_step = number;
  fail(Error::Category::data, "train",
       fmt::format("the loss of step {} is {}: the first value that is not finite comes from {}", number,
                   std::isnan(loss) ? "nan" : "infinite", origin.empty() ? "the loss itself" : origin),
       folder_->path().string(),
       fmt::format("the variables are those from before that step; lower schedule.base_learning_rate ({:.4g} at this step)",
                   rate));
}

void Trainer::stop_on_bad_gradients(std::int64_t number, float rate) {
  fail(Error::Category::data, "train",
       fmt::format("gradients of step {} are not finite, though the loss is finite and no longer scaled", number),
       folder_->path().string(),
       fmt::format("the variables are those from before that step; lower schedule.base_learning_rate ({:.4g} at this step), or "
                   "choose backend.compute = bf16 or f32, which have more range than f16",
                   rate));
}

void Trainer::evaluate_unless_interrupted() {
  try {
    evaluate_now();
  } catch (const Error& error) {
    if (error.category() != Error::Category::interrupted) throw;  // run() saves and stops; the next start evaluates
  }
}

void Trainer::evaluate_now() {
  EvaluationDetails details;
  turn_to(Doing::What::evaluating, Busy::With::evaluating);
  const Scores scores = evaluate(session_, completed_, nullptr, &details, [this](std::int64_t done, std::int64_t of) {
    tell(&RunObserver::busy, Busy{Busy::With::evaluating, done, of});
  });
  const bool competes = session_.evaluation_phase(completed_) == history_.best_phase;
  const bool best = history_.add(completed_, scores.top1(), scores.loss(), competes);
  tell(&RunObserver::evaluated, EvaluationResult{scores, best, std::move(details)});
  if (!best || !session_.recipe().checkpoint().best || !session_.replicas().leads()) return;
  turn_to(Doing::What::saving, Busy::With::saving);
  save(folder_->best());
  tell(&RunObserver::saved, folder_->best());
}

void Trainer::save(const std::filesystem::path& path) {
  const auto spe = static_cast<std::uint64_t>(session_.steps_per_epoch()), done = static_cast<std::uint64_t>(completed_);
  const CheckpointInfo info{.step = completed_,
                            .data_epoch = done / spe,
                            .data_step = done % spe,
                            .recipe = session_.recipe().text(false),
                            .data = data_record_,
                            .warm_start = session_.warm_start(),
                            .seed = session_.recipe().run().seed,
                            .metrics = history_.to_metrics()};
  const auto variables = for_checkpoint(session_.variables());
  qfw::save_checkpoint(path, info, variables, [&](std::string_view name, HostTensor to) { session_.read(name, to); });
}

void Trainer::save_checkpoint(Keep keep) {
  if (!session_.replicas().leads()) return;
  if (saved_at_ != completed_ || saved_evaluation_ != history_.eval_step) {
    turn_to(Doing::What::saving, Busy::With::saving);
    const auto path = checkpoint_path(folder_->checkpoints(), completed_);
    check_variables(session_, trained(session_.variables()), completed_);  // else it would take the place of a good one
    save(path);
    checkpoints_->wrote(completed_);
    saved_at_ = completed_;
    doing_.saved(completed_);
    saved_evaluation_ = history_.eval_step;
    tell(&RunObserver::saved, path);
  }
  if (passing_ && passing_ != completed_) checkpoints_->remove(*passing_);
  passing_ = keep == Keep::until_next ? std::optional(completed_) : std::nullopt;
  checkpoints_->prune(static_cast<int>(session_.recipe().checkpoint().keep) + (passing_ ? 1 : 0));
}

}  // namespace qfw

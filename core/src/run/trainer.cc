#include "run/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "io/json.h"
#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "run/data_record.h"
#include "run/evaluate.h"
#include "run/notes.h"
#include "run/phase_check.h"
#include "run/preflight.h"
#include "run/report.h"
#include "run/same_run.h"
#include "run/step_checks.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<CheckpointVariable> for_checkpoint(const std::vector<Variable>& variables) {
  std::vector<CheckpointVariable> all;
  for (const Variable& variable : variables) all.push_back({variable.name, variable.type});
  return all;
}

}  // namespace

Trainer::Trainer(const Recipe& recipe)
    : session_(recipe, Session::Data::required),
      folder_(recipe.run_dir(), RunFolder::Access::write),
      checkpoints_(folder_.checkpoints()) {
  log_to_file(folder_.log());
}

Trainer::~Trainer() { stop_log_to_file(); }

double Trainer::images_per_second() const {
  const auto images = static_cast<double>(steps_here_ * session_.recipe().train().batch_size);
  return seconds_ > 0 ? images / seconds_ : 0;
}

Trainer::Outcome Trainer::run() {
  start();
  if (is_complete()) {
    if (!report_fits()) {
      notes_ = notes_on(session_);
      write_report("finished");
    }
    return Outcome::already_finished;
  }
  try {
    return train();
  } catch (const Error& error) {
    report_failure(error);
    throw;
  }
}

/// Whether report.json is of this state: a run may have been killed before it was written.
bool Trainer::report_fits() const try {
  const auto report = read_json(folder_.report());
  return report.at("status") == "finished" && report.at("steps").to_number<std::int64_t>() == completed_;
} catch (const std::exception&) {
  return false;
}

/// Never instead of the error itself, which may be that nothing can be written.
void Trainer::report_failure(const Error& error) try {
  write_report(history_.first_nan_step == completed_ ? "diverged" : "failed", error.what());
} catch (const Error& other) {
  logger().warn("no report: {}", other.what());
}

/// Nothing is left to train or to evaluate.
bool Trainer::is_complete() const { return completed_ >= session_.total_steps() && history_.eval_step == completed_; }

Trainer::Outcome Trainer::train() {
  const std::int64_t total = session_.total_steps();
  InterruptGuard guard;
  // The evaluation that an interrupt or a failure cut short.
  if (completed_ > 0 && completed_ < total && evaluates_after(completed_ - 1) && history_.eval_step != completed_)
    evaluate_unless_interrupted();
  while (completed_ < total) {
    if (InterruptGuard::requested()) {
      save_checkpoint(Keep::lasting);
      write_report("interrupted");
      return Outcome::interrupted;
    }
    const auto begin = std::chrono::steady_clock::now();
    step(completed_);
    const double elapsed = seconds_since(begin);
    seconds_ += elapsed;
    ++steps_here_;
    const double speed = static_cast<double>(session_.recipe().train().batch_size) / elapsed;
    recent_speed_ = recent_speed_ == 0 ? speed : 0.95 * recent_speed_ + 0.05 * speed;
    const std::int64_t number = completed_++;
    log_step(number);
    const Keep keep = completed_ == total || saves_after(completed_) ? Keep::lasting : Keep::until_next;
    if (evaluates_after(number)) {
      save_checkpoint(keep);  // whatever becomes of the evaluation
      evaluate_unless_interrupted();
    }
    if (InterruptGuard::requested()) continue;
    if (keep == Keep::lasting) save_checkpoint(keep);
    progress_->update(figures());
  }
  if (history_.eval_step != completed_) evaluate_unless_interrupted();
  save_checkpoint(Keep::lasting);  // with the last evaluation
  progress_->finish(figures());
  const bool whole = history_.eval_step == completed_;
  write_report(whole ? "finished" : "interrupted");
  return whole ? Outcome::finished : Outcome::interrupted;
}

void Trainer::start() {
  const Recipe& recipe = session_.recipe();
  logger().info("{} in {}", recipe.description().empty() ? recipe.stem() : recipe.description(), folder_.path().string());
  logger().info("backend {}", session_.backend().describe());
  session_.training(0);  // declares all variables
  data_record_ = data_record(session_);
  const bool resumed = resume();
  history_.ends_in(session_.evaluation_phase(session_.total_steps()));
  if (resumed && is_complete()) return;
  check_phases(session_);
  check_before_training(session_, folder_, session_.variable_bytes());
  notes_ = notes_on(session_);
  for (const std::string& note : notes_) logger().warn("{}", note);
  if (!resumed) session_.initialize_variables();
  write_text_atomically(folder_.recipe(), recipe.text());  // of a run that goes on, too: eval and export read it
  write_environment(folder_.environment(), session_);

  if (recipe.metrics().tensorboard) open_events();
  if (recipe.metrics().bounds) observed_ = session_.observed();
  progress_ = std::make_unique<Progress>("training");
  if (completed_ >= session_.total_steps()) return;
  for (int i = 0; i < session_.replicas().count(); ++i) {
    feeds_.push_back(std::make_unique<TrainingFeed>(session_, i, completed_));
  }
}

/// Curves are not worth a training.
void Trainer::open_events() try {
  events_ = std::make_unique<EventFile>(folder_.path(), completed_);
} catch (const Error& error) {
  logger().warn("{}; training goes on without curves for TensorBoard", error.what());
}

bool Trainer::resume() {
  const auto checkpoint = checkpoints_.newest();
  if (!checkpoint) return false;
  const auto& path = checkpoints_.newest_path();
  check_same_data(checkpoint->info().data, data_record_, path);
  check_same_run(checkpoint->info().recipe, session_.recipe(), path);
  check_same_seed(checkpoint->info());
  check_same_variables(checkpoint->variables(), for_checkpoint(session_.variables()), path);
  session_.restore(*checkpoint, session_.variables());
  session_.continue_from(checkpoint->info());
  completed_ = saved_at_ = checkpoint->info().step;
  history_ = History::from_metrics(checkpoint->info().metrics);
  saved_evaluation_ = history_.eval_step;
  logger().info("resuming after step {} from {}", completed_, path.filename().string());
  return true;
}

void Trainer::check_same_seed(const CheckpointInfo& info) const {
  const auto then = info.metrics.find(Session::seed_key);
  const auto now = static_cast<double>(session_.seed());
  if (then == info.metrics.end() || then->second == now) return;
  fail(Error::Category::usage, "resume", fmt::format("the run was started with run.seed = {}, now it is {}", then->second, now),
       folder_.path().string(), "choose another folder with --run.dir, or restore the seed");
}

void Trainer::step(std::int64_t number) {
  Session::Compiled& compiled = session_.training(number);
  rate_ = static_cast<float>(session_.rate(number));
  std::vector<Session::Exchange> exchanges;
  for (const auto& feed : feeds_) {
    feed->next();
    exchanges.push_back({feed->feeds(compiled.graph, rate_), feed->fetches()});
  }
  check_codes(session_, compiled, number, exchanges);
  session_.run(compiled, number, exchanges);
  loss_ = feeds_.front()->loss();
  if (!std::isfinite(loss_)) stop_on_bad_loss(number, origin_of_not_finite(session_, compiled, number, exchanges));
  Scores scores;
  for (const auto& feed : feeds_) feed->add_to(scores);
  accuracy_ = scores.top1();
}

void Trainer::stop_on_bad_loss(std::int64_t number, const std::string& origin) {
  history_.first_nan_step = number;
  fail(Error::Category::data, "train",
       fmt::format("the loss of step {} is {}: the first value that is not finite comes from {}", number,
                   std::isnan(loss_) ? "nan" : "infinite", origin.empty() ? "the loss itself" : origin),
       folder_.path().string(),
       fmt::format("the variables are those from before that step; lower schedule.base_learning_rate ({:.4g} at this step)",
                   rate_));
}

void Trainer::log_step(std::int64_t number) {
  const auto& metrics = session_.recipe().metrics();
  if (!events_ || number % metrics.every_steps != 0) return;
  const std::pair<std::string, double> values[] = {
      {"train_loss", loss_},
      {"train_accuracy", accuracy_},
      {"train_learning_rate", rate_},
      {"steps per second", recent_speed_ / static_cast<double>(session_.recipe().train().batch_size)}};
  events_->scalars(number, values);
  if (const std::int64_t corrupt = session_.corrupt().count(); corrupt > 0) {
    events_->scalar("corrupt_examples", number, static_cast<double>(corrupt));
  }
  log_observed(number);
}

void Trainer::log_observed(std::int64_t number) {
  for (const auto& [tag, variable] : observed_) {
    std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
    session_.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
    double mean = 0;
    for (const float value : values) mean += value;
    events_->scalar(tag, number, mean / static_cast<double>(values.size()));
    events_->histogram(tag + "/channels", number, values);
  }
}

bool Trainer::evaluates_after(std::int64_t number) const {
  const auto& eval = session_.recipe().eval();
  const std::int64_t total = session_.total_steps(), epoch = session_.steps_per_epoch();
  if (eval.every_epochs && (number + 1) % (*eval.every_epochs * epoch) == 0) return true;
  const bool late = static_cast<double>(number) / static_cast<double>(total) > 0.9;
  const std::int64_t per_epoch = late ? eval.per_epoch_late : eval.per_epoch;
  if (per_epoch <= 0) return false;
  const std::int64_t interval = std::max<std::int64_t>(1, epoch / per_epoch);
  return number % epoch % interval == 0;
}

void Trainer::evaluate_unless_interrupted() {
  try {
    evaluate_now();
  } catch (const Error& error) {
    if (error.category() != Error::Category::interrupted) throw;  // run() saves and stops; the next start evaluates
  }
}

void Trainer::evaluate_now() {
  const Scores scores = evaluate(session_, completed_);
  const bool competes = session_.evaluation_phase(completed_) == history_.best_phase;
  const bool best = history_.add(completed_, scores.top1(), scores.loss(), competes);
  progress_->report(fmt::format("step {}: eval accuracy {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {} images{}", completed_,
                                100 * scores.top1(), 100 * scores.top5(), scores.loss(), scores.examples(),
                                best ? " (best)" : ""));
  if (events_) {
    const std::pair<std::string, double> values[] = {{"eval_loss", scores.loss()}, {"eval_accuracy", scores.top1()}};
    events_->scalars(completed_ - 1, values);  // under the last step's number, as its training values are
    events_->flush();
  }
  if (best && session_.recipe().checkpoint().best) save(folder_.best());
}

bool Trainer::saves_after(std::int64_t completed) const {
  const auto& every = session_.recipe().checkpoint();
  if (every.every_steps && *every.every_steps > 0 && completed % *every.every_steps == 0) return true;
  return every.every_epochs && *every.every_epochs > 0 && completed % (*every.every_epochs * session_.steps_per_epoch()) == 0;
}

void Trainer::save(const std::filesystem::path& path) {
  const auto spe = static_cast<std::uint64_t>(session_.steps_per_epoch()), done = static_cast<std::uint64_t>(completed_);
  CheckpointInfo info{.step = completed_,
                      .data_epoch = done / spe,
                      .data_step = done % spe,
                      .recipe = session_.recipe().text(false),
                      .data = data_record_,
                      .metrics = history_.to_metrics()};
  if (session_.warm_start()) info.metrics[Session::warm_start_key] = 1;
  info.metrics[Session::seed_key] = static_cast<double>(session_.seed());
  const auto variables = for_checkpoint(session_.variables());
  qfw::save_checkpoint(path, info, variables, [&](std::string_view name, HostTensor to) { session_.read(name, to); });
}

void Trainer::save_checkpoint(Keep keep) {
  if (saved_at_ != completed_ || saved_evaluation_ != history_.eval_step) {
    save(checkpoint_path(folder_.checkpoints(), completed_));
    checkpoints_.wrote(completed_);
    saved_at_ = completed_, saved_evaluation_ = history_.eval_step;
    if (events_) events_->flush();
  }
  if (passing_ && passing_ != completed_) checkpoints_.remove(*passing_);
  passing_ = keep == Keep::until_next ? std::optional(completed_) : std::nullopt;
  checkpoints_.prune(static_cast<int>(session_.recipe().checkpoint().keep) + (passing_ ? 1 : 0));
}

void Trainer::write_report(const char* status, const char* error) {
  if (events_) events_->flush();
  write_run_report(folder_.report(),
                   {.status = status,
                    .error = error,
                    .steps = completed_,
                    .images_per_second = images_per_second(),
                    .history = history_,
                    .notes = notes_},
                   session_);
}

Progress::Figures Trainer::figures() const {
  const double left = static_cast<double>((session_.total_steps() - completed_) * session_.recipe().train().batch_size);
  Progress::Figures figures;
  figures.step = completed_;
  figures.total_steps = session_.total_steps();
  figures.epoch = static_cast<double>(completed_) / static_cast<double>(session_.steps_per_epoch());
  figures.epochs = (session_.total_steps() + session_.steps_per_epoch() - 1) / session_.steps_per_epoch();
  figures.images_per_second = recent_speed_;
  figures.loss = loss_;
  figures.accuracy = accuracy_;
  figures.rate = rate_;
  figures.corrupt = session_.corrupt().count();
  if (recent_speed_ > 0) figures.seconds_left = left / recent_speed_;
  return figures;
}

}  // namespace qfw

#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "train/evaluate.h"
#include "train/report.h"
#include "train/same_run.h"
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
    : session_(recipe, Session::Data::required), folder_(recipe.run_dir(), RunFolder::Access::write) {
  log_to_file(folder_.log());
}

Trainer::~Trainer() { stop_log_to_file(); }

double Trainer::images_per_second() const {
  const auto images = static_cast<double>(steps_here_ * session_.recipe().train().batch_size);
  return seconds_ > 0 ? images / seconds_ : 0;
}

Trainer::Outcome Trainer::run() {
  start();
  const std::int64_t total = session_.total_steps();
  if (completed_ >= total) return Outcome::already_finished;

  InterruptGuard guard;
  // The evaluation that an interrupt cut short.
  if (completed_ > 0 && evaluates_after(completed_ - 1) && history_.eval_step != completed_) evaluate_unless_interrupted();
  while (completed_ < total) {
    if (InterruptGuard::requested()) {
      save_checkpoint_now();
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
    if (evaluates_after(number)) evaluate_unless_interrupted();
    if (InterruptGuard::requested()) continue;
    if (completed_ < total && saves_after(completed_)) save_checkpoint_now();  // the last one follows the last evaluation
    progress_->update(figures());
  }
  if (history_.eval_step != completed_) evaluate_now();
  save_checkpoint_now();
  progress_->finish(figures());
  write_report("finished");
  return Outcome::finished;
}

void Trainer::start() {
  const Recipe& recipe = session_.recipe();
  logger().info("{} in {}", recipe.description().empty() ? recipe.stem() : recipe.description(), folder_.path().string());
  logger().info("backend {}", session_.backend().describe());
  session_.training(0);  // declares all variables
  if (!resume()) {
    session_.initialize_variables();
    write_text_atomically(folder_.recipe(), recipe.text());
  }
  write_environment(folder_.environment(), session_);
  if (completed_ >= session_.total_steps()) return;

  if (recipe.metrics().tensorboard) events_ = std::make_unique<EventFile>(folder_.path(), completed_);
  progress_ = std::make_unique<Progress>("training");
  for (int i = 0; i < session_.replicas().count(); ++i) {
    feeds_.push_back(std::make_unique<TrainingFeed>(session_, i, completed_));
  }
}

bool Trainer::resume() {
  auto files = checkpoints_in(folder_.checkpoints());
  while (!files.empty()) {
    try {
      const Checkpoint checkpoint(files.back());
      check_same_run(checkpoint.info().recipe, session_.recipe().text(false), files.back());
      session_.restore(checkpoint, session_.variables());
      session_.continue_from(checkpoint.info());
      completed_ = saved_at_ = checkpoint.info().step;
      history_ = History::from_metrics(checkpoint.info().metrics);
      logger().info("resuming after step {} from {}", completed_, files.back().filename().string());
      return true;
    } catch (const Error& error) {
      if (error.category() != Error::Category::data) throw;
      logger().warn("{}; trying the checkpoint before it", error.what());
      files.pop_back();
    }
  }
  return false;
}

void Trainer::step(std::int64_t number) {
  const Session::Compiled& compiled = session_.training(number);
  rate_ = static_cast<float>(session_.rate(number));
  std::vector<Session::Exchange> exchanges;
  for (const auto& feed : feeds_) {
    feed->next();
    exchanges.push_back({feed->feeds(compiled.graph, rate_), feed->fetches()});
  }
  session_.run(compiled, number, exchanges);
  loss_ = feeds_.front()->loss();
  if (!std::isfinite(loss_)) stop_on_bad_loss(number);
  Scores scores;
  for (const auto& feed : feeds_) feed->add_to(scores);
  accuracy_ = scores.top1();
}

void Trainer::stop_on_bad_loss(std::int64_t number) {
  const std::string layer = first_bad_layer(number);
  history_.first_nan_step = number;
  write_report("diverged");
  fail(Error::Category::data, "train",
       fmt::format("the loss of step {} is {}: the first value that is not finite comes from {}", number,
                   std::isnan(loss_) ? "nan" : "infinite", layer),
       folder_.path().string(),
       fmt::format("the variables are those from before that step; lower schedule.base_learning_rate ({:.4g} at this step)",
                   rate_));
}

std::string Trainer::first_bad_layer(std::int64_t number) {
  const Session::Compiled compiled = session_.diagnosis(number);
  const auto& wanted = compiled.graph.fetches;
  std::vector<std::vector<float>> counts(feeds_.size(), std::vector<float>(wanted.size()));
  std::vector<Session::Exchange> exchanges;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    auto& exchange = exchanges.emplace_back();
    exchange.feeds = feeds_[i]->feeds(compiled.graph, rate_);
    for (float& count : counts[i]) exchange.fetches.push_back({{{}, DType::f32}, std::as_writable_bytes(std::span(&count, 1))});
  }
  session_.run(compiled, number, exchanges);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    float count = 0;
    for (const auto& of_replica : counts) count += of_replica[i];
    if (count != 0) return fmt::format("{}, {:.0f} elements", wanted[i].name, count);
  }
  return "the loss itself";
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
  if (metrics.bounds) log_bounds(number);
}

void Trainer::log_bounds(std::int64_t number) {
  constexpr std::string_view suffix = "/src/bounds";  // what quantizers call the state that clips a layer's input
  for (const Variable& variable : session_.variables()) {
    if (variable.kind != Variable::Kind::state || !variable.name.ends_with(suffix)) continue;
    std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
    session_.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
    const std::string tag = variable.name.substr(0, variable.name.size() - suffix.size()) + "/GetBounds_0/bounds";
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
  const bool best = history_.add(completed_, scores.top1(), scores.loss());
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
                      .metrics = history_.to_metrics()};
  if (session_.warm_start()) info.metrics[Session::warm_start_key] = 1;
  const auto variables = for_checkpoint(session_.variables());
  save_checkpoint(path, info, variables, [&](std::string_view name, HostTensor to) { session_.read(name, to); });
}

void Trainer::save_checkpoint_now() {
  if (saved_at_ == completed_) return;
  save(checkpoint_path(folder_.checkpoints(), completed_));
  prune_checkpoints(folder_.checkpoints(), static_cast<int>(session_.recipe().checkpoint().keep));
  saved_at_ = completed_;
  if (events_) events_->flush();
}

void Trainer::write_report(const char* status) {
  if (events_) events_->flush();
  write_run_report(folder_.report(),
                   {.status = status, .steps = completed_, .images_per_second = images_per_second(), .history = history_},
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

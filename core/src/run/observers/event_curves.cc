#include "io/event_file.h"
#include "io/log.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class EventCurves final : public RunObserver {
  void started(const RunView& run) override {
    if (run.session.recipe().metrics().bounds) observed_ = run.session.observed();
    open(run);
  }

  /// Curves are not worth a training.
  void open(const RunView& run) try {
    events_ = std::make_unique<EventFile>(run.folder.path(), run.completed);
  } catch (const Error& error) {
    logger().warn("{}; training goes on without curves for TensorBoard", error.what());
  }

  void step(const RunView& run, const StepResult& step) override {
    const auto& recipe = run.session.recipe();
    if (!events_ || step.number % recipe.metrics().every_steps != 0) return;
    const std::pair<std::string, double> values[] = {
        {"train_loss", step.loss},
        {"train_accuracy", step.accuracy},
        {"train_learning_rate", step.rate},
        {"steps per second", run.speed.recent / static_cast<double>(recipe.train().batch_size)}};
    events_->scalars(step.number, values);
    if (const std::int64_t corrupt = run.session.corrupt().count(); corrupt > 0) {
      events_->scalar("corrupt_examples", step.number, static_cast<double>(corrupt));
    }
    show_observed(run.session, step.number);
  }

  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    if (!events_) return;
    const Scores& scores = evaluation.scores;
    const std::pair<std::string, double> values[] = {{"eval_loss", scores.loss()}, {"eval_accuracy", scores.top1()}};
    events_->scalars(run.completed - 1, values);  // under the last step's number, as its training values are
    events_->flush();
  }

  void saved(const RunView&, const std::filesystem::path&) override {
    if (events_) events_->flush();
  }
  void ended(const RunView&, Ending, const std::string&) override {
    if (events_) events_->flush();
  }

  void show_observed(Session& session, std::int64_t number) {
    for (const auto& [tag, variable] : observed_) {
      std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
      session.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
      double mean = 0;
      for (const float value : values) mean += value;
      events_->scalar(tag, number, mean / static_cast<double>(values.size()));
      events_->histogram(tag + "/channels", number, values);
    }
  }

  std::vector<Session::Curve> observed_;  ///< what quantizers want shown, if metrics.bounds asks for it
  std::unique_ptr<EventFile> events_;
};

}  // namespace

std::unique_ptr<RunObserver> make_event_curves() { return std::make_unique<EventCurves>(); }

}  // namespace qfw

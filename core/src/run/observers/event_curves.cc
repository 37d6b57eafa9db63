#include "io/event_file.h"
#include "io/log.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

using Values = std::vector<std::pair<std::string, double>>;

/// What curves are called.
struct Tags {
  std::string loss, accuracy, rate, images, steps, corrupt, loss_scale, eval_loss, eval_accuracy, eval_top5;
  std::string layers;  ///< what those of layers begin with
};

/// TensorBoard shows together what has the text before the first slash in common.
const Tags grouped{"train/loss",
                   "train/accuracy",
                   "train/learning_rate",
                   "train/images_per_second",
                   "train/steps_per_second",
                   "train/corrupt_examples",
                   "train/loss_scale",
                   "eval/loss",
                   "eval/accuracy",
                   "eval/top5",
                   "layers/"};
/// As google/aqt's ImageNet example calls them, and no others: what it has no name for has none.
const Tags original{"train_loss",
                    "train_accuracy",
                    "train_learning_rate",
                    "",
                    "steps per second",
                    "corrupt_examples",
                    "",
                    "eval_loss",
                    "eval_accuracy",
                    "",
                    ""};

class EventCurves final : public RunObserver {
  void started(const RunView& run) override {
    const auto& metrics = run.session.recipe().metrics();
    tags_ = metrics.tags == "original" ? &original : &grouped;
    if (metrics.bounds) observed_ = run.session.observed();
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
    Values values{{tags_->loss, step.loss},
                  {tags_->accuracy, step.accuracy},
                  {tags_->rate, step.rate},
                  {tags_->images, run.speed.recent},
                  {tags_->steps, run.speed.recent / static_cast<double>(recipe.train().batch_size)}};
    const std::int64_t corrupt = run.session.corrupt().count();
    if (corrupt > 0) values.emplace_back(tags_->corrupt, static_cast<double>(corrupt));
    if (recipe.backend().compute == "f16") values.emplace_back(tags_->loss_scale, step.loss_scale);
    add(step.number, std::move(values));
    show_observed(run.session, step.number);
  }

  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    if (!events_) return;
    const Scores& scores = evaluation.scores;
    Values values{{tags_->eval_loss, scores.loss()}, {tags_->eval_accuracy, scores.top1()}, {tags_->eval_top5, scores.top5()}};
    if (!tags_->layers.empty()) add_layers(evaluation.details.layers, values);
    add(run.completed - 1, std::move(values));  // under the last step's number, as its training values are
    events_->flush();
  }

  void saved(const RunView&, const std::filesystem::path&) override {
    if (events_) events_->flush();
  }
  void ended(const RunView&, Ending, const std::string&) override {
    if (events_) events_->flush();
  }

  /// Those that have a name, as one event.
  void add(std::int64_t number, Values values) {
    std::erase_if(values, [](const auto& value) { return value.first.empty(); });
    events_->scalars(number, values);
  }

  void add_layers(const std::vector<LayersFile::Row>& rows, Values& values) const {
    for (const LayersFile::Row& row : rows) {
      const std::string operand = tags_->layers + row.layer + (row.weights ? "/weights_" : "/input_");
      if (row.bound) values.emplace_back(operand + "bound", *row.bound);
      if (row.clipped) values.emplace_back(operand + "clipped", *row.clipped);
    }
  }

  void show_observed(Session& session, std::int64_t number) {
    for (const auto& [tag, variable] : observed_) {
      std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
      session.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
      double mean = 0;
      for (const float value : values) mean += value;
      events_->scalar(tags_->layers + tag, number, mean / static_cast<double>(values.size()));
      events_->histogram(tags_->layers + tag + "/channels", number, values);
    }
  }

  const Tags* tags_ = &grouped;
  std::vector<Session::Curve> observed_;  ///< what quantizers want shown, if metrics.bounds asks for it
  std::unique_ptr<EventFile> events_;
};

}  // namespace

std::unique_ptr<RunObserver> make_event_curves() { return std::make_unique<EventCurves>(); }

}  // namespace qfw

#include "io/log.h"
#include "io/series_file.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class Series final : public RunObserver {
  /// Curves are not worth a training.
  void started(const RunView& run) override try {
    file_ = std::make_unique<SeriesFile>(run.folder.series(), run.completed, run.history.eval_step);
    seconds_before_ = file_->seconds();
  } catch (const Error& error) {
    logger().warn("{}; training goes on without a series", error.what());
  }

  void step(const RunView& run, const StepResult& step) override {
    if (!file_) return;
    if (run.completed % run.session.recipe().metrics().every_steps == 0) {
      add(run, SeriesFile::Training{run.speed.recent, step.loss, step.accuracy, step.rate});
    }
    if (step.evaluation_follows || step.save_follows) file_->sync();  // before the checkpoint that knows of it
  }

  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    if (!file_) return;
    const Scores& scores = evaluation.scores;
    add(run, SeriesFile::Evaluation{scores.loss(), scores.top1(), scores.top5()});
    file_->sync();
  }

  void add(const RunView& run, const std::variant<SeriesFile::Training, SeriesFile::Evaluation>& values) {
    file_->add({run.completed, seconds_before_ + run.speed.seconds, values});
  }

  std::unique_ptr<SeriesFile> file_;
  double seconds_before_ = 0;
};

}  // namespace

std::unique_ptr<RunObserver> make_series() { return std::make_unique<Series>(); }

}  // namespace qfw

#include <fmt/format.h>

#include "io/log.h"
#include "io/progress.h"
#include "run/observers/observers.h"
#include "util/counted.h"

namespace qfw {

namespace {

class ProgressLine final : public RunObserver {
  void started(const RunView& run) override {
    progress_ = std::make_unique<Progress>("training");
    progress_->begin(figures(run));  // the first step may take minutes
  }

  void step(const RunView& run, const StepResult& step) override {
    last_ = step;
    if (!step.evaluation_follows) progress_->update(figures(run));  // below the line of the evaluation, otherwise
  }

  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    const Scores& scores = evaluation.scores;
    logger().info("step {}: eval accuracy {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {}{}", run.completed, 100 * scores.top1(),
                  100 * scores.top5(), scores.loss(), counted(scores.examples(), "image"), evaluation.best ? " (best)" : "");
    if (std::exchange(last_.evaluation_follows, false)) progress_->update(figures(run));
  }

  void ended(const RunView& run, Ending ending, const std::string&) override {
    const bool whole = run.completed == run.session.total_steps();
    if (ending == Ending::finished || (ending == Ending::interrupted && whole)) progress_->finish(figures(run));
    progress_.reset();  // nothing is shown of a run that has ended
  }

  Progress::Figures figures(const RunView& run) const {
    const Session& session = run.session;
    Progress::Figures figures;
    figures.step = run.completed;
    figures.total_steps = session.total_steps();
    figures.epoch = run.epoch();
    figures.epochs = run.epochs();
    figures.corrupt = session.corrupt().count();
    if (run.speed.steps == 0) return figures;
    figures.images_per_second = run.speed.recent;
    figures.loss = last_.loss;
    figures.accuracy = last_.accuracy;
    figures.rate = last_.rate;
    figures.seconds_left = run.seconds_left();
    return figures;
  }

  std::unique_ptr<Progress> progress_;
  StepResult last_;
};

}  // namespace

std::unique_ptr<RunObserver> make_progress_line() { return std::make_unique<ProgressLine>(); }

}  // namespace qfw

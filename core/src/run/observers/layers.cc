#include "io/layers_file.h"
#include "io/log.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class Layers final : public RunObserver {
  /// Curves are not worth a training.
  void started(const RunView& run) override try {
    file_ = std::make_unique<LayersFile>(run.folder.layers(), run.history.eval_step);
  } catch (const Error& error) {
    logger().warn("{}; training goes on without a table of layers", error.what());
  }

  void evaluated(const RunView& run, const EvaluationResult& evaluation) override {
    if (!file_) return;
    file_->add(run.completed, evaluation.details.layers);
    file_->sync();  // before the checkpoint that knows of it
  }

  std::unique_ptr<LayersFile> file_;
};

}  // namespace

std::unique_ptr<RunObserver> make_layers() { return std::make_unique<Layers>(); }

}  // namespace qfw

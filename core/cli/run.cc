#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "interchange/hparams.h"
#include "io/log.h"
#include "layout.h"
#include "run/trainer.h"
#include "util/counted.h"
#include "verbs.h"
#include "viewer/report_observer.h"

namespace qfw {

namespace {

/// hparams.json.
class Hyperparameters final : public RunObserver {
 public:
  explicit Hyperparameters(const Catalog& catalog) : catalog_(catalog) {}

  void starting(const RunView& run) override { write_hparams(run.folder.hparams(), run.session, catalog_); }
  void already_finished(const RunView& run) override {
    std::error_code error;
    if (std::filesystem::file_size(run.folder.hparams(), error) == 0 || error) starting(run);
  }

 private:
  const Catalog& catalog_;
};

int run(const Arguments& arguments, const Catalog& catalog) {
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::required);
  Trainer trainer(recipe);
  const bool leads = trainer.session().replicas().leads();
  if (leads) {
    trainer.add(std::make_unique<Hyperparameters>(catalog));
    trainer.add(viewer::make_report_page());
  }
  const Trainer::Outcome outcome = trainer.run();
  if (!leads) return outcome == Trainer::Outcome::interrupted ? 130 : 0;
  if (outcome == Trainer::Outcome::interrupted) {
    logger().warn("stopped after step {}; the same command goes on from there", trainer.completed());
    return 130;
  }
  if (outcome == Trainer::Outcome::already_finished) {
    logger().info("this run is finished: {}", counted(trainer.completed(), "step"));
  }
  const History& history = trainer.history();
  if (history.eval_accuracy) {
    fmt::print("eval_accuracy {:.4f}", *history.eval_accuracy);
    if (history.best_accuracy) fmt::print(" (best {:.4f} at step {})", *history.best_accuracy, history.best_step);
    fmt::print(", eval_loss {:.4f}, {}", *history.eval_loss, counted(trainer.completed(), "step"));
    if (trainer.images_per_second() > 0) {  // else there was nothing left to train
      fmt::print(", {:.0f} images/s", trainer.images_per_second());
      if (const auto share = trainer.peak_share()) fmt::print(" ({:.1f} % of the machine's peak)", 100 * *share);
    }
    fmt::print("\n");
  }
  print_text(trainer.folder().report().string() + "\n");
  return 0;
}

}  // namespace

Verb run_verb() {
  Verb verb;
  verb.name = "run";
  verb.positional = "RECIPE";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "train a recipe, from the newest checkpoint in its run folder if there is one";
  verb.doc =
      "Every recipe key may follow as --section.key=value, for example --train.steps=100 or --run.dir=DIR.\n"
      "Ctrl-C saves a checkpoint and stops with exit code 130; the same command continues, bit for bit.";
  verb.takes_overrides = true;
  verb.run = run;
  return verb;
}

}  // namespace qfw

#include <exception>

#include "io/log.h"
#include "qfw/atomic_file.h"
#include "recipe/gather.h"
#include "recipe/recorded.h"
#include "run/observers/observers.h"
#include "run/report.h"
#include "util/text.h"

namespace qfw {

namespace {

bool is_whole(const std::filesystem::path& file) try {
  return recipe::recorded_recipe(read_plain_text(file, recipe::most_recipe_bytes)).fault.empty();
} catch (const std::exception&) {
  return false;
}

class RunRecord final : public RunObserver {
  void already_finished(const RunView& run) override {
    if (is_whole(run.folder.recipe())) return;
    write_text_atomically(run.folder.recipe(), run.session.recipe().text());
    logger().info("recipe.ini was missing or damaged, and is written again from {}", run.session.recipe().label());
  }
  /// Before all that takes long, as it makes the folder a run's; of a run that goes on, too: eval and export read it.
  void starting(const RunView& run) override {
    write_text_atomically(run.folder.recipe(), run.session.recipe().text());
    write_environment(run.folder.environment(), run.session);
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_run_record() { return std::make_unique<RunRecord>(); }

}  // namespace qfw

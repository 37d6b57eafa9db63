#include "run_source.h"

#include "io/checkpoint_folder.h"
#include "qfw/error.h"

namespace qfw {

RunSource find_run(const std::filesystem::path& given) {
  if (std::filesystem::is_regular_file(given)) {
    const auto folder = std::filesystem::absolute(given).parent_path();
    for (const auto& candidate : {folder, folder.parent_path()}) {
      if (std::filesystem::exists(candidate / "recipe.ini"))
        return {candidate / "recipe.ini", given, std::make_unique<Checkpoint>(given)};
    }
    fail(Error::Category::usage, "run", "there is no recipe.ini beside the checkpoint or above it", given.string(),
         "name a file inside a run folder");
  }
  if (!std::filesystem::exists(given / "recipe.ini")) {
    fail(Error::Category::usage, "run", "this is no run folder: it has no recipe.ini", given.string(),
         "name a folder that `qfw run` made");
  }
  const auto checkpoints = checkpoints_in(given / "checkpoints");
  if (checkpoints.empty())
    fail(Error::Category::data, "run", "the run has no checkpoint yet", given.string(),
         "let `qfw run` reach one, or stop it with Ctrl-C");
  return {given / "recipe.ini", checkpoints.back(), open_checkpoint_of_run(checkpoints.back())};
}

void refuse_file_of_run(const std::filesystem::path& folder, const std::filesystem::path& target) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path run = fs::weakly_canonical(folder, error), file = fs::weakly_canonical(target, error);
  const bool inside = file.parent_path() == run / "checkpoints";
  if (!inside && !(file.parent_path() == run && fs::exists(file, error))) return;
  fail(Error::Category::usage, "run", "this would replace a file of the run itself", target.string(), "choose another name");
}

}  // namespace qfw

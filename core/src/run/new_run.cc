#include "run/new_run.h"

#include <algorithm>
#include <span>

#include "graph/init.h"
#include "io/checkpoint_folder.h"
#include "io/run_folder.h"
#include "qfw/atomic_file.h"
#include "run/same_run.h"

namespace qfw {

void refuse_begun_run(const Recipe& recipe, std::string_view verb, const std::string& done) {
  const std::filesystem::path folder = recipe.run_dir();
  if (!checkpoints_in(folder / "checkpoints").empty()) {
    fail(Error::Category::usage, verb, "the run folder has checkpoints already", folder.string(),
         "add " + own_folder_option(recipe, {done}));
  }
  refuse_run_without_checkpoint(folder, recipe);
}

std::filesystem::path begin_run(const Recipe& recipe, const CheckpointInfo& info, const std::vector<Variable>& variables,
                                const VariableValues& values, std::string_view verb, const std::string& done) {
  const RunFolder folder(recipe.run_dir(), RunFolder::Access::write);
  refuse_begun_run(recipe, verb, done);
  folder.prepare();
  std::vector<CheckpointVariable> stored;
  std::map<std::string, const Variable*, std::less<>> by_name;
  for (const Variable& variable : variables) {
    stored.push_back({variable.name, variable.type});
    by_name.emplace(variable.name, &variable);
  }
  const auto value_of = [&](std::string_view name, HostTensor to) {
    const std::span<float> into(reinterpret_cast<float*>(to.bytes.data()), to.bytes.size() / sizeof(float));
    if (const auto found = values.find(name); found != values.end()) {
      std::ranges::copy(found->second, into.begin());
    } else {
      initialize(*by_name.find(name)->second, static_cast<std::uint64_t>(recipe.run().seed), into);
    }
  };
  write_text_atomically(folder.recipe(), recipe.text());  // first: the checkpoint makes it a run
  const auto path = checkpoint_path(folder.checkpoints(), info.step);
  try {
    save_checkpoint(path, info, stored, value_of);
  } catch (const Error&) {  // a recipe alone would pass for a run that has yet to begin
    std::error_code ignored;
    std::filesystem::remove(folder.recipe(), ignored);
    throw;
  }
  return path;
}

}  // namespace qfw

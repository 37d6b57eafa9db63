#include <fmt/format.h>

#include <cstdio>

#include "graph/init.h"
#include "interchange/foreign_weights.h"
#include "io/checkpoint_folder.h"
#include "io/run_folder.h"
#include "layout.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "recipe/sections.h"
#include "run/session.h"
#include "verbs.h"

namespace qfw {

namespace {

int run(const Arguments& arguments, const Catalog& catalog) {
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  const std::filesystem::path file = arguments.positional.at(1);
  const auto format = catalog.get<Format>(arguments.get("format", recipe::default_format)).make({});
  const Session session(recipe, Session::Data::optional);
  const std::int64_t step = arguments.number("step", 0);
  const std::vector<Variable> variables = session.training_graph_at(step).variables;
  const Values imported = read_foreign_weights(file, arguments.get("group"), *format, variables);
  const bool warm = has_all_bounds(imported, variables);

  const RunFolder folder(recipe.run_dir(), RunFolder::Access::write);
  if (!checkpoints_in(folder.checkpoints()).empty()) {
    fail(Error::Category::usage, "import", "the run folder has checkpoints already", folder.path().string(),
         "choose another --run.dir");
  }
  folder.prepare();
  const auto per_epoch = static_cast<std::uint64_t>(session.steps_per_epoch()), done = static_cast<std::uint64_t>(step);
  const CheckpointInfo info{.step = step,
                            .data_epoch = done / per_epoch,
                            .data_step = done % per_epoch,
                            .recipe = recipe.text(false),
                            .data = {},
                            .warm_start = warm,
                            .seed = recipe.run().seed,
                            .metrics = {}};
  std::vector<CheckpointVariable> stored;
  std::map<std::string, const Variable*, std::less<>> by_name;
  for (const Variable& variable : variables) {
    stored.push_back({variable.name, variable.type});
    by_name.emplace(variable.name, &variable);
  }
  write_text_atomically(folder.recipe(), recipe.text());  // first: the checkpoint makes it a run
  const auto path = checkpoint_path(folder.checkpoints(), step);
  const auto value_of = [&](std::string_view name, HostTensor to) {
    const std::span<float> values(reinterpret_cast<float*>(to.bytes.data()), to.bytes.size() / sizeof(float));
    if (const auto found = imported.find(name); found != imported.end()) {
      std::ranges::copy(found->second, values.begin());
    } else {
      initialize(*by_name.find(name)->second, session.seed(), values);
    }
  };
  try {
    save_checkpoint(path, info, stored, value_of);
  } catch (const Error&) {  // a recipe alone would pass for a run that has yet to begin
    std::error_code ignored;
    std::filesystem::remove(folder.recipe(), ignored);
    throw;
  }
  const std::string imported_text =
      fmt::format("{} of {} variables imported{}", imported.size(), variables.size(),
                  warm ? "; bounds are set, so activations are quantized from the first step on" : "");
  print_text(wrapped(imported_text, output_width(unlimited), 0) + path.string() + "\n");
  return 0;
}

}  // namespace

Verb import_verb() {
  Verb verb;
  verb.name = "import";
  verb.positional = "RECIPE FILE.h5";
  verb.min_positional = verb.max_positional = 2;
  verb.summary = "start a run from another system's weights";
  verb.doc =
      "Makes the recipe's run folder with a checkpoint of the imported values, which `qfw eval` evaluates and `qfw run` goes "
      "on\n"
      "from. The file is HDF5, one data set per tensor, named as the format does. Variables that the other system does not "
      "have\n"
      "(the optimizer's) get their initial values.";
  verb.takes_overrides = true;
  verb.options = {{"format", "NAME", fmt::format("whose names: a format plugin ({})", recipe::default_format)},
                  {"group", "PATH", "where in the file they lie"},
                  {"step", "N", "steps that the run is to count as done (0)"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

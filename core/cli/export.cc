#include <fmt/format.h>

#include <cstdio>

#include "interchange/foreign_weights.h"
#include "layout.h"
#include "recipe/sections.h"
#include "run/session.h"
#include "run_source.h"
#include "verbs.h"

namespace qfw {

namespace {

int run(const Arguments& arguments, const Catalog& catalog) {
  const RunSource source = find_run(arguments.positional.at(0));
  const std::filesystem::path file = arguments.positional.at(1);
  check_output(file, OutputKind::hdf5);
  const Recipe recipe = load_recipe(source.recipe, arguments.overrides, catalog, Session::Data::optional);
  const auto format = catalog.get<Format>(arguments.get("format", recipe::default_format)).make({});
  const Session session(recipe, Session::Data::optional);
  const Checkpoint& checkpoint = *source.checkpoint;
  write_foreign_weights(file, arguments.get("group"), *format, session.training_graph_at(checkpoint.info().step).variables,
                        checkpoint);
  print_text(file.string() + "\n");
  return 0;
}

}  // namespace

Verb export_verb() {
  Verb verb;
  verb.name = "export";
  verb.positional = "RUN|CHECKPOINT FILE.h5";
  verb.min_positional = verb.max_positional = 2;
  verb.summary = "write a run's weights under another system's names";
  verb.doc = "RUN is a run folder, or a checkpoint file in one. `qfw import` reads what this writes.";
  verb.takes_overrides = true;
  verb.options = {{"format", "NAME", fmt::format("whose names: a format plugin ({})", recipe::default_format)},
                  {"group", "PATH", "where in the file they go"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "export_network.h"
#include "interchange/foreign_weights.h"
#include "layout.h"
#include "plugin_options.h"
#include "qfw/atomic_file.h"
#include "qfw/exporter.h"
#include "recipe/sections.h"
#include "run/session.h"
#include "run_source.h"
#include "verbs.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

/// Of the file, without the dot.
std::string ending_of(const fs::path& file) {
  const std::string ending = file.extension().string();
  return ending.empty() ? ending : ending.substr(1);
}

/// Those whose files end like that.
std::vector<std::string> exporters_of(const std::string& ending, const Catalog& catalog) {
  std::vector<std::string> found;
  for (const std::string& name : catalog.names(Exporter::kind)) {
    const auto endings = catalog.get<Exporter>(name).make({})->extensions();
    if (std::ranges::find(endings, ending) != endings.end()) found.push_back(name);
  }
  return found;
}

/// The weights alone, under another system's names.
int export_weights(const Arguments& arguments, const fs::path& file, const std::vector<std::string>& overrides,
                   const RunSource& source, const std::string& format_name, const Catalog& catalog) {
  if (const auto others = exporters_of(ending_of(file), catalog); file.extension() != ".h5" && !others.empty()) {
    fail(Error::Category::usage, "export",
         fmt::format("weights under the names of {} are an HDF5 file, and this name ends as those of exporter {} do",
                     format_name, fmt::join(others, " and ")),
         file.string(), "name a file .h5, or leave out --format");
  }
  check_output(file, OutputKind::weights);
  const Recipe recipe = load_recipe(source.recipe, overrides, catalog, Session::Data::optional);
  const auto format = catalog.get<Format>(format_name).make({});
  const Session session(recipe, Session::Data::optional);
  const Checkpoint& checkpoint = *source.checkpoint;
  write_foreign_weights(file, arguments.get("group"), *format, session.training_graph_at(checkpoint.info().step).variables,
                        checkpoint);
  print_text(file.string() + "\n");
  return 0;
}

/// The exporter whose files end as `file` does; empty: none.
std::string exporter_for(const fs::path& file, const Catalog& catalog) {
  const std::vector<std::string> found = exporters_of(ending_of(file), catalog);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    std::vector<std::string> all;
    for (const std::string& name : catalog.names(Exporter::kind)) {
      for (const std::string& each : catalog.get<Exporter>(name).make({})->extensions())
        all.push_back(fmt::format(".{} ({})", each, name));
    }
    all.emplace_back(fmt::format(".h5 (weights under the names of a format, {})", recipe::default_format));
    fail(Error::Category::usage, "export", fmt::format("no exporter writes files that end like {}", file.string()), {},
         fmt::format("there are {}; --exporter=NAME chooses one whatever the name", fmt::join(all, ", ")));
  }
  fail(Error::Category::usage, "export",
       fmt::format("{} write files that end like {}", fmt::join(found, " and "), file.string()), {},
       "choose one with --exporter=NAME");
}

/// What a link stands for is written, not the link.
fs::path behind_links(const fs::path& given) {
  std::error_code error;
  if (!fs::is_symlink(given, error)) return given;
  const fs::path file = fs::canonical(given, error);
  if (!error) return file;
  fail(Error::Category::usage, "export", "it is a link to what is not there", given.string(),
       "remove it, or choose another name");
}

int run(const Arguments& arguments, const Catalog& catalog) {
  std::vector<std::string> overrides = arguments.overrides;
  const std::vector<std::string> exporter_options = take_plugin_options(overrides, Exporter::kind);
  const fs::path file = behind_links(arguments.positional.at(1));
  std::string name = arguments.get("exporter");
  const auto formats = catalog.names(Format::kind);
  const bool named_format = std::ranges::find(formats, name) != formats.end();
  if (arguments.has("format") && !name.empty() && !named_format) {
    fail(Error::Category::usage, "export", "--format and --exporter are two answers to one question", {}, "leave one out");
  }
  const Proof proof = proof_of(arguments);
  const RunSource source = find_run(arguments.positional.at(0));
  const bool weights = named_format || arguments.has("format") || (name.empty() && file.extension() == ".h5");
  if (weights) {
    if (!exporter_options.empty()) {
      fail(Error::Category::usage, "export", fmt::format("--exporter.{} is given, and no exporter", exporter_options.front()),
           {}, "name one with --exporter=NAME");
    }
    if (proof.any()) {
      fail(Error::Category::usage, "export", "weights alone cannot be run: there is nothing to verify", {},
           "leave out --verify, --verify-only and --check, or name an exporter");
    }
    return export_weights(arguments, file, overrides, source,
                          named_format ? name : arguments.get("format", recipe::default_format), catalog);
  }
  if (!proof.only) {
    check_output(file, OutputKind::any);
    const AtomicFile may_be_written(file);
  }
  if (arguments.has("group")) {
    fail(Error::Category::usage, "export", "--group is of weights under another system's names, in an HDF5 file");
  }
  if (name.empty()) name = exporter_for(file, catalog);
  return export_network(
      {.exporter = name, .exporter_options = exporter_options, .overrides = overrides, .file = file, .proof = proof}, source,
      catalog);
}

}  // namespace

Verb export_verb() {
  Verb verb;
  verb.name = "export";
  verb.positional = "RUN|CHECKPOINT FILE";
  verb.min_positional = verb.max_positional = 2;
  verb.summary = "write a run's network for other programs, or its weights under another system's names";
  verb.doc =
      "RUN is a run folder, or a checkpoint file in one. What is written follows from the file's name or --exporter; an "
      "exporter's\n"
      "options follow as --exporter.KEY=VALUE (`qfw describe exporter NAME`). A file .h5 is the weights alone, which `qfw "
      "import` reads.\n"
      "--verify runs what was written in the runtime of its format (for .onnx ONNX Runtime, `qfw describe backend "
      "onnxruntime`) "
      "over\n"
      "the validation images and compares every bit of every logit; a file that differs does not appear. --verify-only does "
      "so\n"
      "with a file that is there, after comparing it with what would be written. A file is replaced only by what wrote it.";
  verb.takes_overrides = true;
  verb.options = {
      {"exporter", "NAME", "an exporter plugin, or a format plugin for the weights alone; by the file's name if not given"},
      {"format", "NAME", fmt::format("the weights alone, under whose names: a format plugin ({})", recipe::default_format)},
      {"group", "PATH", "weights alone: where in the file they go"},
      {"verify", "N", "compare the file's logits with the run's on N validation images, or on as many as evaluations take",
       true},
      {"verify-only", "N", "the same for a file that is there; nothing is written", true},
      {"agreement", "PERCENT",
       "of a file that is only close: at least so many images must get the run's class, or it is an error"},
      {"check", "N", "beside FILE a folder with N images and logits, for tries on other devices (ONNX: MODEL_check/)"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

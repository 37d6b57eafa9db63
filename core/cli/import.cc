#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "interchange/choose_format.h"
#include "interchange/foreign_weights.h"
#include "interchange/requirements.h"
#include "io/log.h"
#include "io/weights_file.h"
#include "layout.h"
#include "qfw/error.h"
#include "run/new_run.h"
#include "run/session.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {

namespace {

/// The layers named by --fresh.
std::vector<std::string> names_of_fresh(const Arguments& arguments) {
  std::vector<std::string> names;
  if (!arguments.has("fresh")) return names;
  const std::string asked = arguments.get("fresh");
  for (std::size_t begin = 0, end = 0; begin <= asked.size(); begin = end + 1) {
    end = std::min(asked.find(',', begin), asked.size());
    names.push_back(asked.substr(begin, end - begin));
    if (names.back().empty()) {
      fail(Error::Category::usage, "import", "a name is empty, before, behind or between commas", "--fresh=" + asked,
           "part the names of layers by one comma each");
    }
  }
  return names;
}

/// They must be there.
void check_layers(const std::vector<std::string>& fresh, const std::vector<Variable>& variables) {
  std::set<std::string> layers;
  for (const Variable& variable : variables) {
    for (std::size_t slash = variable.name.find('/'); slash != std::string::npos; slash = variable.name.find('/', slash + 1))
      layers.insert(variable.name.substr(0, slash));
  }
  for (const std::string& layer : fresh) {
    if (layers.contains(layer)) continue;
    const std::vector<std::string> known(layers.begin(), layers.end());
    const std::string meant = did_you_mean(layer, known);
    fail(Error::Category::usage, "import", fmt::format("the network has no layer {}", layer), "--fresh",
         meant.empty() ? "`qfw explain RECIPE` lists its layers" : meant);
  }
}

/// The kernel of the network's first layer.
std::string first_kernel(const Session& session, const std::vector<Variable>& variables) {
  const Graph graph = session.evaluation_graph_at(session.total_steps());
  std::string name = graph.sites.empty() ? "" : graph.sites.front().path + "/kernel";
  if (std::ranges::find(variables, name, &Variable::name) == variables.end()) {
    fail(Error::Category::usage, "import", "the network's first layer has no kernel", "--grey",
         "leave it out: the model's own weights are not known by that name");
  }
  return name;
}

/// What decides what an evaluation computes and does not come from the file, though nobody asked for that.
void tell_initial(const std::vector<Variable>& variables, const Values& imported, const std::vector<std::string>& fresh) {
  const auto asked = [&](const Variable& variable) {
    return std::ranges::any_of(fresh, [&](const std::string& layer) { return variable.name.starts_with(layer + "/"); });
  };
  std::vector<std::string> initial;
  for (const Variable& variable : variables) {
    const bool counts = variable.kind == Variable::Kind::parameter || variable.role == Variable::Role::batch_statistics;
    if (counts && !imported.contains(variable.name) && !asked(variable)) initial.push_back(variable.name);
  }
  if (!initial.empty()) logger().warn("not in the file, and at their initial values: {}", fmt::join(initial, ", "));
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const std::vector<std::string> fresh = names_of_fresh(arguments);
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  refuse_begun_run(recipe, "import", "imported");  // before a file is read that may be large
  const std::filesystem::path file = arguments.positional.at(1);
  std::vector<std::string> names;
  for (const ListedTensor& tensor : list_tensors(file, arguments.get("group"))) names.push_back(tensor.name);
  const ChosenFormat chosen = choose_format(catalog, arguments.get("format"), arguments.get("group"), names, file.string());
  check_requirements(recipe, *chosen.format, chosen.name, arguments.has("trust-recipe"));
  const Session session(recipe, Session::Data::optional);
  const std::int64_t step = arguments.number("step", 0);
  const std::vector<Variable> variables = session.training_graph_at(step).variables;
  check_layers(fresh, variables);
  const Adaptation adaptation{.fresh = fresh, .grey = arguments.has("grey") ? first_kernel(session, variables) : ""};
  const Values imported = read_foreign_weights(file, chosen.group, *chosen.format, variables, adaptation);
  const bool warm = has_all_bounds(imported, variables);

  const auto per_epoch = static_cast<std::uint64_t>(session.steps_per_epoch()), done = static_cast<std::uint64_t>(step);
  const CheckpointInfo info{.step = step,
                            .data_epoch = done / per_epoch,
                            .data_step = done % per_epoch,
                            .recipe = recipe.text(false),
                            .data = {},
                            .warm_start = warm,
                            .seed = recipe.run().seed,
                            .metrics = {}};
  const std::filesystem::path path = begin_run(recipe, info, variables, imported, "import", "imported");
  tell_initial(variables, imported, fresh);
  const std::string imported_text = fmt::format(
      "{}{}: {} of {} variables imported{}{}", chosen.name, chosen.group.empty() ? "" : fmt::format(", {}", chosen.group),
      imported.size(), variables.size(), warm ? "; bounds are set, so activations are quantized from the first step on" : "",
      fresh.empty() ? "" : fmt::format("; at initial values, as asked: {}", fmt::join(fresh, ", ")));
  print_text(wrapped(imported_text, output_width(unlimited), 0) + path.string() + "\n");
  return 0;
}

}  // namespace

Verb import_verb() {
  Verb verb;
  verb.name = "import";
  verb.positional = "RECIPE FILE";
  verb.min_positional = verb.max_positional = 2;
  verb.summary = "start a run from another system's weights";
  verb.doc =
      "Makes the recipe's run folder with a checkpoint of the imported values, which `qfw eval` evaluates and `qfw run` goes\n"
      "on from. The file is what PyTorch's torch.save() made of a state_dict() (.pth), safetensors, HDF5 (.h5) or ONNX, told\n"
      "by its first bytes; nothing in it is run. Variables that the other system does not have (the optimizer's) get their\n"
      "initial values. A recipe with which the network would compute something else than the other system's is refused, and\n"
      "the options to add are told.";
  verb.takes_overrides = true;
  verb.options = {
      {"format", "NAME", "whose names: a format plugin; if not given, the one that knows those in the file"},
      {"group", "PATH", "where in the file they lie; if not given, where a format knows them"},
      {"fresh", "LAYER,...", "layers that keep their initial values, as `dense` where the classes are others"},
      {"grey", "", "sum the first convolution over its input channels, for data of one channel"},
      {"trust-recipe", "", "the recipe is right about these weights, where it differs from what their format wants"},
      {"step", "N", "steps that the run is to count as done (0)"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

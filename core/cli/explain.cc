#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "io/json.h"
#include "train/explanation.h"
#include "verbs.h"

namespace qfw {

namespace {

std::string bits(int bits) { return bits == 0 ? "float" : std::to_string(bits); }
std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

constexpr std::size_t phases_shown = 12;

void print_table(const Explanation& explanation, Session& session) {
  std::size_t width = 5;
  for (const auto& layer : explanation.layers) width = std::max(width, layer.path.size());
  fmt::print("{:<{}}  {:<7} {:<22} {:<20} {:>15}  {:>5} {:>5}  {}\n", "layer", width, "op", "input", "weights", "multiplications", "w", "a", "arithmetic");
  for (const auto& layer : explanation.layers) {
    fmt::print("{:<{}}  {:<7} {:<22} {:<20} {:>15}  {:>5} {:>5}  {}\n", layer.path, width, layer.op, layer.src.str(), layer.weights.str(),
               layer.multiplications, bits(layer.weight_bits), bits(layer.act_bits),
               layer.integer ? "integer" : "float: " + layer.reason);
  }
  const auto integer = std::ranges::count_if(explanation.layers, &Explanation::LayerRow::integer);
  fmt::print("\n{} layers, {} of them integer; {} multiplications an image, {} weights in them, {} parameters\n", explanation.layers.size(), integer,
             explanation.multiplications, explanation.matmul_weights, explanation.parameters);
  fmt::print("memory at batch {}: variables {}, intermediate values of a training step {}, total {}\n", session.train_batch(),
             mebibytes(explanation.variable_bytes), mebibytes(explanation.arena_bytes),
             mebibytes(explanation.variable_bytes + explanation.arena_bytes));
  fmt::print("training: {} steps of {} an epoch, backend {}\n", session.total_steps(), session.steps_per_epoch(), session.backend().describe());
  for (std::size_t i = 0; i < std::min(phases_shown, explanation.phases.size()); ++i) {
    fmt::print("  from step {}: {}\n", explanation.phases[i].first_step, explanation.phases[i].phase);
  }
  if (explanation.phases.size() > phases_shown) fmt::print("  ... and {} further changes\n", explanation.phases.size() - phases_shown);
}

boost::json::array to_json(const Shape& shape) {
  boost::json::array extents;
  for (const auto extent : shape) extents.push_back(extent);
  return extents;
}

void print_json(const Explanation& explanation, Session& session) {
  boost::json::array layers, phases;
  for (const auto& layer : explanation.layers) {
    boost::json::object row;
    row["path"] = layer.path, row["op"] = layer.op;
    row["input"] = to_json(layer.src), row["weights"] = to_json(layer.weights), row["output"] = to_json(layer.dst);
    row["multiplications"] = layer.multiplications;
    row["weight_bits"] = layer.weight_bits == 0 ? boost::json::value(nullptr) : boost::json::value(layer.weight_bits);
    row["act_bits"] = layer.act_bits == 0 ? boost::json::value(nullptr) : boost::json::value(layer.act_bits);
    row["integer"] = layer.integer;
    row["reason"] = layer.integer ? boost::json::value(nullptr) : boost::json::value(layer.reason);
    layers.push_back(std::move(row));
  }
  for (const auto& phase : explanation.phases) phases.push_back({{"first_step", phase.first_step}, {"phase", phase.phase}});
  boost::json::object result;
  result["layers"] = std::move(layers);
  result["multiplications"] = explanation.multiplications;
  result["matmul_weights"] = explanation.matmul_weights;
  result["parameters"] = explanation.parameters;
  result["batch_size"] = session.train_batch();
  result["variable_bytes"] = explanation.variable_bytes;
  result["arena_bytes"] = explanation.arena_bytes;
  result["total_steps"] = session.total_steps();
  result["steps_per_epoch"] = session.steps_per_epoch();
  result["phases"] = std::move(phases);
  fmt::print("{}", json_pretty(result));
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  Session session(recipe, Session::Data::optional);
  const Explanation explanation = explain(session);
  if (arguments.has("json")) {
    print_json(explanation, session);
  } else {
    print_table(explanation, session);
    if (arguments.has("settings")) {
      fmt::print("\n");
      for (const auto& row : recipe.table()) fmt::print("{}.{} = {}  ({})\n", row.section, row.key, row.value, row.origin);
    }
  }
  return 0;
}

}  // namespace

Verb explain_verb() {
  Verb verb;
  verb.name = "explain";
  verb.positional = "RECIPE";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "what a recipe will do: layers, bits, integer or float and why, phases, memory";
  verb.doc = "Works without the data where the recipe has dataset.shape and dataset.classes. Recipe keys may follow as --section.key=value.";
  verb.takes_overrides = true;
  verb.options = {{"json", "", "print one JSON object"}, {"settings", "", "also print every setting and where it comes from"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

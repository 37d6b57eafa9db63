#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <utility>

#include "inspect/explanation.h"
#include "inspect/explanation_json.h"
#include "io/json.h"
#include "io/printable.h"
#include "layout.h"
#include "qfw/error.h"
#include "recipe/sections.h"
#include "run/notes.h"
#include "stash_table.h"
#include "util/counted.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {

namespace {

std::string bits(int bits) { return bits == 0 ? "float" : std::to_string(bits); }
std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

constexpr std::size_t phases_shown = 12;

std::string in_words(const Arithmetic& arithmetic) {
  return arithmetic.integer() ? "integer, " + arithmetic.str() : "float: " + arithmetic.reason;
}

/// One line where training and evaluation compute alike.
std::string in_words(const Explanation::LayerRow& layer) {
  const std::string backward = layer.integer_backward ? ", backward s8 x s8 -> s32" : "";
  if (layer.training == layer.evaluation) return in_words(layer.evaluation) + backward;
  return fmt::format("training {}{}; evaluation {}", in_words(layer.training), backward, in_words(layer.evaluation));
}

/// In a terminal lines are broken where it ends; elsewhere not at all.
std::size_t line_width() { return output_width(unlimited); }
void print_paragraph(const std::string& text, std::size_t indent = 0) {
  fmt::print("{}", wrapped(printable(text, line_breaks), line_width(), indent));
}

Column numbers(std::string heading) { return {.heading = std::move(heading), .numbers = true}; }
Column words(std::string heading) { return {.heading = std::move(heading)}; }

void add_row(std::vector<Column>& columns, const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].cells.push_back(printable(cells.at(i)));
}

void print_table(const Explanation& explanation, Session& session) {
  std::vector<Column> columns = {words("layer"), words("op"),  words("input"),   words("weights"),   numbers("multiplications"),
                                 numbers("w"),   numbers("a"), numbers("sum <"), words("arithmetic")};
  columns.back().long_text = true;
  for (const auto& layer : explanation.layers) {
    // The largest sum that data could lead to, of the 31 bits there are.
    const std::string sum = layer.largest_sum ? fmt::format("2^{:.1f}", std::log2(*layer.largest_sum + 1)) : "";
    add_row(columns, {layer.path, layer.op, layer.src.str(), layer.weights.str(), std::to_string(layer.multiplications),
                      bits(layer.weight_bits), bits(layer.act_bits), sum, in_words(layer)});
  }
  fmt::print("{}\n", table(columns, line_width()));
  const auto training = std::ranges::count_if(explanation.layers, [](const auto& layer) { return layer.training.integer(); });
  const auto evaluation =
      std::ranges::count_if(explanation.layers, [](const auto& layer) { return layer.evaluation.integer(); });
  print_paragraph(fmt::format(
      "{}, integer in training: {}, in evaluation: {}; {} multiplications an image, {} weights in them, {} parameters",
      counted(explanation.layers.size(), "layer"), training, evaluation, explanation.multiplications,
      explanation.matmul_weights, explanation.parameters));
  print_paragraph(fmt::format("memory at batch {}: variables {}, intermediate values of a training step {}, total {}",
                              session.train_batch(), mebibytes(explanation.variable_bytes()),
                              mebibytes(explanation.arena_bytes),
                              mebibytes(explanation.variable_bytes() + explanation.arena_bytes)));
  print_paragraph(fmt::format("training: {} of {} an epoch, backend {}", counted(session.total_steps(), "step"),
                              session.steps_per_epoch(), session.backend().describe()));
  for (std::size_t i = 0; i < std::min(phases_shown, explanation.phases.size()); ++i) {
    const auto& phase = explanation.phases[i];
    print_paragraph(fmt::format("from step {}: {}; {} of {} integer", phase.first_step, phase.phase, phase.integer,
                                counted(explanation.layers.size(), "layer")),
                    2);
  }
  if (explanation.phases.size() > phases_shown) {
    print_paragraph(fmt::format("... and {} further changes", explanation.phases.size() - phases_shown), 2);
  }
}

void print_notes(const Session& session) {
  for (const std::string& note : notes_on(session)) print_paragraph("note: " + note);
}

boost::json::object to_json(const Recipe::Row& row) {
  return {{"section", row.section},    {"key", row.key}, {"value", row.value}, {"origin", row.origin},
          {"default", row.is_default}, {"doc", row.doc}};
}

boost::json::array to_json(const std::vector<Recipe::Row>& rows) {
  boost::json::array list;
  for (const Recipe::Row& row : rows) list.push_back(to_json(row));
  return list;
}

void print_settings(const std::vector<Recipe::Row>& rows) {
  const std::size_t width = output_width();
  for (const Recipe::Row& row : rows) {
    const std::string value = row.value.empty() ? "\"\"" : row.value;
    const std::string name = row.section.empty() ? row.key : row.section + "." + row.key;
    fmt::print("{}", wrapped(printable(fmt::format("{} = {} ({})", name, value, row.origin)), width, 0, 2));
    fmt::print("{}", wrapped(printable(row.doc), width, 4));
  }
}

/// Those of a key, or of a section.
std::vector<Recipe::Row> chosen_settings(const Recipe& recipe, const std::string& wanted) {
  std::vector<Recipe::Row> chosen;
  std::vector<std::string> known;
  if (wanted == "description") {
    const std::vector<Option> keys = recipe::top_options();
    const std::string doc = std::ranges::find(keys, wanted, &Option::name)->doc;
    return {{.section = "", .key = wanted, .value = recipe.description(), .origin = recipe.label(), .doc = doc}};
  }
  for (const Recipe::Row& row : recipe.table()) {
    const std::string name = row.section + "." + row.key;
    if (name == wanted || row.section == wanted) chosen.push_back(row);
    for (const std::string& each : {row.section, name}) {
      if (std::ranges::find(known, each) == known.end()) known.push_back(each);
    }
  }
  if (!chosen.empty()) return chosen;
  const std::string guess = did_you_mean(wanted, known);
  fail(Error::Category::usage, "explain", fmt::format("the recipe has no setting '{}'", wanted), {},
       (guess.empty() ? "" : guess + " ") + "`qfw explain RECIPE --settings` lists them");
}

void print_json(const Explanation& explanation, Session& session, bool settings) {
  boost::json::array phases;
  for (const auto& phase : explanation.phases) {
    phases.push_back({{"first_step", phase.first_step}, {"phase", phase.phase}, {"integer_layers", phase.integer}});
  }
  boost::json::object result;
  result["layers"] = layers_json(explanation);
  result["multiplications"] = explanation.multiplications;
  result["matmul_weights"] = explanation.matmul_weights;
  result["parameters"] = explanation.parameters;
  result["batch_size"] = session.train_batch();
  result["variable_bytes"] = explanation.variable_bytes();
  result["parameter_bytes"] = explanation.parameter_bytes;
  result["optimizer_bytes"] = explanation.optimizer_bytes;
  result["state_bytes"] = explanation.state_bytes;
  result["arena_bytes"] = explanation.arena_bytes;
  result["stash_bytes"] = explanation.stash.bytes();
  result["stash"] = stash_json(explanation.stash.rows);
  result["recompute"] = name_of(explanation.recompute);
  result["computed_again"] = stash_json(explanation.stash.again);
  if (explanation.recompute != Recompute::none) {
    result["arena_bytes_without_recompute"] = explanation.arena_without;
    result["stash_bytes_without_recompute"] = explanation.stash_without;
  }
  result["backend"] = session.backend().describe();
  result["total_steps"] = session.total_steps();
  result["steps_per_epoch"] = session.steps_per_epoch();
  result["phases"] = std::move(phases);
  boost::json::array notes;
  for (const std::string& note : notes_on(session)) notes.emplace_back(note);
  result["notes"] = std::move(notes);
  if (settings) result["settings"] = to_json(session.recipe().table());
  fmt::print("{}", json_pretty(result));
}

double ratio(double cost, double unquantized) { return unquantized == 0 ? 0 : cost / unquantized; }

/// Keys as the original calls these figures.
boost::json::object to_json(const Cost& cost, const Cost& unquantized) {
  boost::json::object object;
  object["compute_cost"] = cost.compute;
  object["compute_cost_ratio_to_bfloat16"] = ratio(cost.compute, unquantized.compute);
  object["compute_cost_linear"] = cost.compute_linear;
  object["compute_cost_ratio_to_bfloat16_linear"] = ratio(cost.compute_linear, unquantized.compute_linear);
  object["memory_cost"] = cost.memory;
  object["memory_cost_ratio_to_bfloat16"] = ratio(cost.memory, unquantized.memory);
  return object;
}

void print_costs(const CostReport& report, bool json) {
  if (json) {
    boost::json::array layers;
    for (const auto& layer : report.layers) {
      boost::json::object row;
      row["path"] = layer.path;
      row["multiplications"] = layer.multiplications;
      row["weight_bits"] = bits_json(layer.weight_bits);
      row["act_bits"] = bits_json(layer.act_bits);
      for (const auto& [key, value] : to_json(layer.cost, layer.unquantized)) row[key] = value;
      layers.push_back(std::move(row));
    }
    boost::json::object result = to_json(report.total, report.unquantized);
    result["num_conv_and_dense_ops"] = report.layers.size();
    result["layers_quantized_after_the_last_step"] = report.later;
    result["layers"] = std::move(layers);
    fmt::print("{}", json_pretty(result));
    return;
  }
  std::vector<Column> columns = {words("layer"),    numbers("multiplications"), numbers("w"),
                                 numbers("a"),      numbers("compute"),         numbers("ratio"),
                                 numbers("linear"), numbers("ratio"),           numbers("memory, bits"),
                                 numbers("ratio")};
  const auto add = [&](const std::string& name, std::int64_t multiplications, const std::string& w, const std::string& a,
                       const Cost& cost, const Cost& unquantized) {
    const auto whole = [](double number) { return fmt::format("{:.0f}", number); };
    const auto share = [](double part, double all) { return fmt::format("{:.4f}", ratio(part, all)); };
    add_row(columns,
            {name, std::to_string(multiplications), w, a, whole(cost.compute), share(cost.compute, unquantized.compute),
             whole(cost.compute_linear), share(cost.compute_linear, unquantized.compute_linear), whole(cost.memory),
             share(cost.memory, unquantized.memory)});
  };
  std::int64_t multiplications = 0;
  for (const auto& layer : report.layers) {
    multiplications += layer.multiplications;
    add(layer.path, layer.multiplications, bits(layer.weight_bits), bits(layer.act_bits), layer.cost, layer.unquantized);
  }
  add("total", multiplications, "", "", report.total, report.unquantized);
  fmt::print("{}\n", table(columns, line_width()));
  print_paragraph(
      "of one image. compute: multiplications x weight bits x activation bits; linear: multiplications x the larger of "
      "the two, rounded up to 4, 8 or 16; a float counts as 16 bits; ratios are to bfloat16");
  if (report.later > 0) {
    print_paragraph(
        fmt::format("{} quantized like this only after the last step of this recipe (train.steps, "
                    "activation_bound_start_step, weight_quant_start_step)",
                    counted(report.later, "layer is", "layers are")));
  }
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  if (arguments.has("setting")) {
    const auto rows = chosen_settings(recipe, arguments.get("setting"));
    arguments.has("json") ? fmt::print("{}", json_pretty(to_json(rows))) : print_settings(rows);
    return 0;
  }
  if (arguments.has("cost") && arguments.has("settings")) {
    fail(Error::Category::usage, "explain", "--cost prints costs alone, so --settings would have no effect", {},
         "choose one of them");
  }
  Session session(recipe, Session::Data::optional);
  if (arguments.has("cost")) {
    print_costs(costs(session), arguments.has("json"));
    return 0;
  }
  const Explanation explanation = explain_compiled(session);
  if (arguments.has("json")) {
    print_json(explanation, session, arguments.has("settings"));
  } else {
    print_table(explanation, session);
    if (!explanation.stash.rows.empty()) fmt::print("\n{}\n", stash_table(explanation, session.train_batch()));
    print_notes(session);
    if (arguments.has("settings")) {
      fmt::print("\n");
      print_settings(recipe.table());
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
  verb.summary = "what a recipe will do: layers, bits, integer or float and why, phases, memory and what it is for, cost";
  verb.doc =
      "Works without the data where the recipe has dataset.shape and dataset.classes. Recipe keys may follow as "
      "--section.key=value.";
  verb.takes_overrides = true;
  verb.options = {{"cost", "", "instead: compute and memory cost, layer by layer and in all, and their ratios to bfloat16"},
                  {"json", "", "print one JSON object"},
                  {"settings", "", "also print every setting, where it comes from and what it means"},
                  {"setting", "KEY", "instead: only this setting, as train.batch_size, or those of a section"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

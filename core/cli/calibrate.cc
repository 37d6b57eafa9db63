#include "run/calibrate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <cmath>

#include "io/json.h"
#include "io/log.h"
#include "layout.h"
#include "plugin_options.h"
#include "qfw/calibrator.h"
#include "qfw/interrupt.h"
#include "run/data_record.h"
#include "run/fewer_images.h"
#include "run/idle_overrides.h"
#include "run_source.h"
#include "util/counted.h"
#include "util/interrupt.h"
#include "verbs.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

/// The network, and the recipe that it is to be calibrated for.
struct Request {
  RunSource source;
  Recipe recipe;
};

/// A recipe stands for its run.
RunSource source_of(const fs::path& given, const Catalog& catalog) {
  std::error_code error;
  if (given.extension() != ".ini" || !fs::is_regular_file(given, error)) return find_run(given);
  const fs::path folder = Recipe::load(given, {}, catalog, {.dataset_optional = true}).run_dir();
  if (!fs::exists(folder / "recipe.ini", error)) {
    fail(Error::Category::usage, "calibrate", fmt::format("{} has no run yet: there is no {}", given.string(), folder.string()),
         {}, "train it first (qfw run), or name a run and its recipe: qfw calibrate RUN --recipe=" + given.string());
  }
  return find_run(folder);
}

Request request_of(const Arguments& arguments, std::vector<std::string> overrides, const Catalog& catalog) {
  const fs::path given = arguments.positional.at(0);
  RunSource source = source_of(given, catalog);
  const bool is_recipe = given.extension() == ".ini";
  const fs::path file = arguments.has("recipe") ? fs::path(arguments.get("recipe")) : is_recipe ? given : source.recipe;
  std::error_code error;
  if (fs::equivalent(file, source.recipe, error)) {
    const auto defaults = defaults_of_named_plugins(file, overrides, catalog);
    if (!defaults.empty()) logger().info("{}: as the plugin that takes the other's place has it", fmt::join(defaults, ", "));
    overrides.insert(overrides.begin(), defaults.begin(), defaults.end());
  }
  return {std::move(source), load_recipe(file, overrides, catalog, Session::Data::required)};
}

std::string grid_text(const Grid& grid) { return fmt::format("{:g} .. {:g}", grid.low, grid.high); }

std::string number_text(double number) { return fmt::format("{:.4g}", number); }

std::string table_of(const Calibration& calibration) {
  std::vector<Column> columns(5);
  columns[0].heading = "layer";
  columns[1].heading = "codes";
  columns[2] = {.heading = "largest", .numbers = true};
  columns[3] = {.heading = "bound", .numbers = true};
  columns[4] = {.heading = "clipped", .numbers = true};
  for (const Calibration::Layer& layer : calibration.layers) {
    columns[0].cells.push_back(layer.path);
    columns[1].cells.push_back(grid_text(layer.grid));
    columns[2].cells.push_back(number_text(layer.largest));
    columns[3].cells.push_back(layer.per_channel
                                   ? fmt::format("{} .. {}", number_text(layer.least_bound), number_text(layer.greatest_bound))
                                   : number_text(layer.greatest_bound));
    columns[4].cells.push_back(fmt::format("{:.3f} %", 100 * layer.clipped));
  }
  return table(columns, output_width());
}

boost::json::object json_of(const Calibration& calibration, const CalibrationSettings& settings, const std::string& method,
                            const fs::path& checkpoint) {
  boost::json::array layers;
  for (const Calibration::Layer& layer : calibration.layers) {
    layers.push_back(boost::json::object{{"layer", layer.path},
                                         {"low", layer.grid.low},
                                         {"high", layer.grid.high},
                                         {"per_channel", layer.per_channel},
                                         {"largest", layer.largest},
                                         {"bound_min", layer.least_bound},
                                         {"bound_max", layer.greatest_bound},
                                         {"clipped", layer.clipped},
                                         {"empty_channels", layer.empty}});
  }
  boost::json::array others;
  for (const std::string& path : calibration.others) others.emplace_back(path);
  return {{"method", method},        {"images", calibration.images},      {"batch_norm", settings.batches},
          {"step", settings.step},   {"checkpoint", checkpoint.string()}, {"layers", layers},
          {"not_calibrated", others}};
}

std::string summary_of(const Calibration& calibration, const CalibrationSettings& settings, const std::string& method) {
  std::string text = fmt::format("{} from {}: the bounds of {}", method, counted(calibration.images, "image"),
                                 counted(calibration.layers.size(), "layer"));
  if (settings.batches > 0) text += fmt::format("; running moments from {}", counted(settings.batches, "batch", "batches"));
  if (!calibration.others.empty()) text += fmt::format("; inputs as they are: {}", fmt::join(calibration.others, ", "));
  std::int64_t empty = 0;
  for (const Calibration::Layer& layer : calibration.layers) empty += layer.empty;
  if (empty > 0) {
    text += fmt::format("; {} had nothing but zeros, and got the least bound of the others in their layer",
                        counted(empty, "channel"));
  }
  return text;
}

int run(const Arguments& arguments, const Catalog& catalog) {
  std::vector<std::string> overrides = arguments.overrides;
  const std::vector<std::string> options = take_plugin_options(overrides, Calibrator::kind);
  const auto& factory = catalog.get<Calibrator>(arguments.get("method", "mse"));
  const auto calibrator = factory.make(plugin_settings(factory, options));
  CalibrationSettings settings;
  settings.images = arguments.number("images", settings.images, 1);
  settings.batches = arguments.number("batch-norm", settings.batches);
  settings.step = arguments.number("step", settings.step);

  const InterruptGuard guard("stopping, without a result");
  const auto [source, recipe] = request_of(arguments, std::move(overrides), catalog);
  refuse_begun_run(recipe, "calibrate", "calibrated");
  Session session(recipe, Session::Data::required);
  if (arguments.has("images"))
    say_fewer_images(session, session.train_split(), fmt::format("--images={}", settings.images), settings.images);
  logger().info("calibrating {} on {}", source.path.string(), session.backend().describe());
  const Calibration calibration = calibrate(session, *source.checkpoint, *calibrator, settings);
  const auto per_epoch = static_cast<std::uint64_t>(session.steps_per_epoch());
  const auto done = static_cast<std::uint64_t>(settings.step);
  const CheckpointInfo info{.step = settings.step,
                            .data_epoch = done / per_epoch,
                            .data_step = done % per_epoch,
                            .recipe = recipe.text(false),
                            .data = data_record(session),
                            .warm_start = true,
                            .seed = recipe.run().seed,
                            .metrics = {}};
  stop_if_interrupted("calibrate");
  const fs::path checkpoint = begin_run(recipe, info, calibration.variables, calibration.values, "calibrate", "calibrated");
  if (arguments.has("json")) {
    fmt::print("{}\n", json_line(json_of(calibration, settings, factory.name, checkpoint)));
    return 0;
  }
  print_text(table_of(calibration));
  print_text(wrapped(summary_of(calibration, settings, factory.name), output_width(unlimited), 0) + checkpoint.string() + "\n");
  return 0;
}

}  // namespace

Verb calibrate_verb() {
  Verb verb;
  verb.name = "calibrate";
  verb.positional = "RUN|CHECKPOINT|RECIPE";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "quantize a trained network without training it: choose the bounds of its activations";
  verb.doc =
      "RUN is a run folder, or a checkpoint file in one; RECIPE stands for the run that was made with it. Recipe keys that "
      "follow say\n"
      "what the network becomes: --quantizer.name=weights_and_auto_acts --quantizer.act_prec=4. Begins a run in --run.dir that "
      "`qfw eval`\n"
      "evaluates and `qfw run` trains on; options of the method follow as --calibrator.KEY=VALUE (`qfw describe calibrator "
      "NAME`).";
  verb.takes_overrides = true;
  verb.options = {{"method", "NAME", "a calibrator plugin: max, percentile, mse, kl (mse)"},
                  {"images", "N", "images of the training split that bounds are chosen from, evenly spread over it (512)"},
                  {"batch-norm", "N", "training batches that running moments are then estimated from again (0: they stay)"},
                  {"recipe", "FILE", "the recipe that the network is calibrated for; the run's own if not given"},
                  {"step", "N", "steps that the run is to count as done (0)"},
                  {"json", "", "print one JSON object"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw

#include "interchange/hparams.h"

#include "io/json.h"
#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "recipe/sections.h"

namespace qfw {

Format::Run format_run(const Session& session) {
  const Recipe& recipe = session.recipe();
  Format::Run run;
  run.description = recipe.description();
  const auto add = [&](std::string section, std::string key, std::string value) {
    run.settings.push_back({std::move(section), std::move(key), std::move(value), {}});
  };
  for (const char* section : {"model", "quantizer", "schedule", "optimizer"}) {
    add(section, "name", recipe.name(section));
    for (const auto& [key, value] : recipe.settings(section)) add(section, key, to_string(value));
  }
  // The core's own settings that have a meaning beyond this program.
  add("run", "seed", std::to_string(recipe.run().seed));
  add("optimizer", "weight_decay", to_string(recipe.optimizer().weight_decay));
  if (recipe.train().early_stop_steps) add("train", "early_stop_steps", std::to_string(*recipe.train().early_stop_steps));
  for (const QuantizedSite& site : session.evaluation_graph_at(session.total_steps()).sites) {
    Format::Run::Layer layer{site.path, site.op == Op::dense, site.src_signed, {}};
    for (const auto& [key, value] : recipe.quantizer_settings(site.path)) layer.quantizer.emplace_back(key, to_string(value));
    run.layers.push_back(std::move(layer));
  }
  return run;
}

void write_hparams(const std::filesystem::path& file, const Session& session, const Catalog& catalog) {
  const Format::Run run = format_run(session);
  try {
    const auto format = catalog.get<Format>(recipe::default_format).make({});
    write_text_atomically(file, json_in_utf8(format->from_recipe(run, format->forms().at(0).name)));
  } catch (const Error& error) {
    if (error.category() == Error::Category::plugin) throw;
    logger().info("no hparams.json: {}", error.what());
  }
}

}  // namespace qfw

#include "run/setup.h"

#include <boost/json.hpp>

#include "inspect/explanation_json.h"
#include "io/json.h"
#include "run/class_names.h"

namespace qfw {

namespace {

namespace json = boost::json;

json::value known(double number) { return number > 0 ? json::value(number) : json::value(nullptr); }

json::value peak_json(const Backend::Peak& peak) {
  if (peak.f32 == 0 && peak.bf16 == 0 && peak.integer == 0) return nullptr;
  return {{"f32", known(peak.f32)}, {"bf16", known(peak.bf16)}, {"integer", known(peak.integer)}};
}

json::array phases_json(const Course& course) {
  json::array phases;
  for (const auto& phase : course.explanation.phases) {
    phases.push_back({{"first_step", phase.first_step},
                      {"phase", phase.phase},
                      {"integer_layers", phase.integer},
                      {"peak_images_per_second", known(course.peak_images_per_second(phase.first_step).value_or(0))}});
  }
  return phases;
}

json::array settings_json(const Recipe& recipe) {
  json::array settings;
  for (const Recipe::Row& row : recipe.table()) {
    settings.push_back({{"section", row.section},
                        {"key", row.key},
                        {"value", row.value},
                        {"origin", row.origin},
                        {"default", row.is_default},
                        {"doc", row.doc}});
  }
  return settings;
}

json::value names_json(const Dataset& dataset) {
  const auto names = class_names_of(dataset);
  return names.empty() ? json::value(nullptr) : json::value_from(names);
}

json::array notes_json(const RunView& run) {
  json::array notes;
  for (const auto* said : {&run.session.recipe().notes(), &run.notes}) {
    for (const std::string& note : *said) notes.emplace_back(note);
  }
  return notes;
}

}  // namespace

void write_setup(const RunView& run) {
  Session& session = run.session;
  const Recipe& recipe = session.recipe();
  const Explanation& explanation = run.course.explanation;
  const Dataset& dataset = session.dataset(session.validation_split());
  const std::int64_t validation = dataset.size(session.validation_split());
  json::object object;
  object["description"] = recipe.description();
  object["recipe"] = recipe.label();
  object["model"] = recipe.name("model");
  object["dataset"] = recipe.name("dataset");
  object["quantizer"] = recipe.name("quantizer");
  object["backend"] = session.backend().describe();
  object["threads"] = session.backend().threads();
  object["replicas"] = session.replicas().size();
  object["classes"] = session.data().classes;
  object["class_names"] = names_json(dataset);
  object["train_examples"] = session.data().train_examples;
  object["validation_examples"] = std::min(validation, recipe.eval().examples.value_or(validation));
  object["batch_size"] = recipe.train().batch_size;
  object["steps_per_epoch"] = session.steps_per_epoch();
  object["total_steps"] = session.total_steps();
  object["parameters"] = explanation.parameters;
  object["multiplications"] = explanation.multiplications;
  object["phases"] = phases_json(run.course);
  object["peak"] = peak_json(run.course.peak);
  object["layers"] = layers_json(explanation);
  object["settings"] = settings_json(recipe);
  object["notes"] = notes_json(run);
  write_json(run.folder.setup(), object);
}

}  // namespace qfw

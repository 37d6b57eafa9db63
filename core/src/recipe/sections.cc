#include "recipe/sections.h"

namespace qfw::recipe {
namespace {

template <class Visit>
void with_core(CoreSettings& core, std::string_view section, Visit visit) {
  if (section == "run") visit(core.run);
  if (section == "train") visit(core.train);
  if (section == "eval") visit(core.eval);
  if (section == "checkpoint") visit(core.checkpoint);
  if (section == "metrics") visit(core.metrics);
  if (section == "quantizer") visit(core.quantizer);
  if (section == "backend") visit(core.backend);
  if (section == "optimizer") visit(core.optimizer);
  if (section == "dataset") visit(core.dataset);
}

}  // namespace

const char* const default_format = QFW_DEFAULT_FORMAT;

const std::vector<SectionKind>& section_kinds() {
  static const std::vector<SectionKind> kinds = {
      {"run", false, nullptr},     {"model", true, nullptr},   {"quantizer", true, "none"},      {"schedule", true, "cosine"},
      {"optimizer", true, "sgd"},  {"dataset", true, nullptr}, {"augment", true, "none"},        {"train", false, nullptr},
      {"eval", false, nullptr},    {"backend", true, "cpu"},   {"communicator", true, "single"}, {"checkpoint", false, nullptr},
      {"metrics", false, nullptr},
  };
  return kinds;
}

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const SectionKind& kind : section_kinds()) names.push_back(kind.name);
  return names;
}

std::vector<Option> core_options(std::string_view section) {
  std::vector<Option> options;
  CoreSettings defaults;
  with_core(defaults, section, [&](const auto& part) { options = options_of(part); });
  return options;
}

void set_core(CoreSettings& core, std::string_view section, const std::string& key, const OptionValue& value) {
  with_core(core, section, [&](auto& part) { apply(options_of(part), {{key, value}}, &part); });
}

}  // namespace qfw::recipe

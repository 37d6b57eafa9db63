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
      {"run", false, nullptr, "where a run is kept, and its seed"},
      {"model", true, nullptr, "the network"},
      {"quantizer", true, "none", "how weights and activations become integers, in all layers or by [layer:GLOB]"},
      {"schedule", true, "cosine", "the learning rate of each step"},
      {"optimizer", true, "sgd", "how gradients change the weights"},
      {"dataset", true, nullptr, "the images and labels, how they are read and kept"},
      {"augment", true, "none", "how images are cropped, mirrored and normalized on their way into the model"},
      {"train", false, nullptr, "batch size and length of training"},
      {"eval", false, nullptr, "when and on what a run evaluates"},
      {"backend", true, "cpu", "what computes, and in which type"},
      {"communicator", true, "single", "how replicas share a step"},
      {"checkpoint", false, nullptr, "when the state is saved, and how much of it stays"},
      {"metrics", false, nullptr, "what is recorded of a run"},
  };
  return kinds;
}

std::vector<Option> top_options() {
  struct Top {
    std::string description, include, base_config_filename = "none", base_config_format = default_format;
    static void declare(Declare<Top>& option) {
      option("description", &Top::description, "one line on the recipe, shown in logs, reports and lists of runs");
      option(
          "include", &Top::include,
          "another recipe as a base: its keys hold where this one is silent; the path is relative to this file; none or empty: "
          "none");
      option(
          "base_config_filename", &Top::base_config_filename,
          "another system's configuration as a base, below all recipes (for aqt the original's JSON hyperparameters), relative "
          "to this file; none or empty: none");
      option("base_config_format", &Top::base_config_format, "the format plugin that reads base_config_filename");
    }
  };
  return options_of<Top>();
}

Option name_option(const SectionKind& kind, std::vector<std::string> plugins) {
  Option option;
  option.name = "name";
  option.doc = "which plugin";
  option.type = Option::Type::text;
  option.default_value = std::string(kind.fallback == nullptr ? "" : kind.fallback);
  option.choices = std::move(plugins);
  return option;
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

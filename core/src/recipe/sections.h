#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/settings.h"

namespace qfw::recipe {

struct SectionKind {
  const char* name;  ///< of a plugin section: its plugins' kind as well
  bool plugin;
  const char* fallback;  ///< plugin's name where the recipe is silent; nullptr: it must not be
  const char* doc;       ///< what the section is about
};

/// The keys that stand in no section.
constexpr std::array<std::string_view, 4> top_keys = {"description", "include", "base_config_filename", "base_config_format"};

/// The same as options, with what they mean.
std::vector<Option> top_options();
/// The key `name` of a plugin section, as an option: which plugin.
Option name_option(const SectionKind& kind, std::vector<std::string> plugins);

/// The format plugin that serves where neither recipe nor command line names one; chosen when qfw is built.
extern const char* const default_format;

/// All sections, in the order in which a resolved recipe is written.
const std::vector<SectionKind>& section_kinds();
std::vector<std::string> section_names();

/// The settings of a section that belong to the core, and how they get into place.
std::vector<Option> core_options(std::string_view section);
void set_core(CoreSettings& core, std::string_view section, const std::string& key, const OptionValue& value);

constexpr std::string_view layer_prefix = "layer:";

}  // namespace qfw::recipe

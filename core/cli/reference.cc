#include "reference.h"

#include <algorithm>

#include "qfw/error.h"
#include "recipe/sections.h"
#include "recipe/source.h"
#include "util/nearest.h"

namespace qfw {
namespace {

/// Kinds that no section of a recipe chooses.
std::string doc_of_kind(std::string_view kind) {
  if (kind == "format")
    return "another system's configurations and weights, for base_config_filename, import, export and hparams";
  if (kind == "writer") return "forms of data sets that `qfw data convert --to=NAME` writes; options as --writer.KEY=VALUE";
  return "plugins of another kind";
}

bool has(std::span<const Option> options, std::string_view name) {
  return std::ranges::find(options, name, &Option::name) != options.end();
}

SectionReference::Plugin plugin_of(std::string_view kind, const std::string& name, const Catalog& catalog, Opening opening) {
  if (opening == Opening::no) return {name, {}, {}, {}};
  try {
    const FactoryBase& factory = catalog.find(kind, name);
    return {name, factory.doc, factory.options, {}};
  } catch (const Error& error) {
    return {name, {}, {}, error.what()};
  }
}

/// Whether two declarations say the same, whatever default the plugin has.
bool alike(const Option& a, const Option& b) {
  return a.doc == b.doc && a.type == b.type && a.nullable == b.nullable && a.min == b.min && a.max == b.max &&
         a.above == b.above && a.choices == b.choices && a.default_value == b.default_value && a.inherits == b.inherits;
}

}  // namespace

std::vector<Option> SectionReference::keys_beside(std::span<const Option> options) const {
  std::vector<Option> beside;
  for (const Option& key : keys) {
    if (!has(options, key.name) && key.name != "name") beside.push_back(key);
  }
  return beside;
}

std::vector<std::string> reference_names(const Catalog& catalog) {
  std::vector<std::string> names = recipe::section_names();
  for (const std::string& kind : catalog.kinds()) {
    if (std::ranges::find(names, kind) == names.end()) names.push_back(kind);
  }
  return names;
}

SectionReference reference_of(std::string_view name, const Catalog& catalog, Opening opening) {
  SectionReference reference;
  reference.name = name;
  const auto& kinds = recipe::section_kinds();
  const auto kind = std::ranges::find_if(kinds, [&](const recipe::SectionKind& each) { return each.name == name; });
  reference.in_recipes = kind != kinds.end();
  reference.has_plugins = !reference.in_recipes || kind->plugin;
  reference.doc = reference.in_recipes ? kind->doc : doc_of_kind(name);
  if (reference.has_plugins) {
    for (const std::string& each : catalog.names(name)) reference.plugins.push_back(plugin_of(name, each, catalog, opening));
  }
  if (!reference.in_recipes) return reference;
  reference.keys = recipe::core_options(name);
  if (!kind->plugin) return reference;
  if (kind->fallback != nullptr) reference.fallback = kind->fallback;
  reference.keys.insert(reference.keys.begin(), recipe::name_option(*kind, catalog.names(name)));
  return reference;
}

std::string KeyReference::full_name() const { return recipe::full_name(section, option.name); }

std::vector<KeyReference> key_references(std::string_view section, std::string_view key, const Catalog& catalog) {
  std::vector<KeyReference> found;
  if (section.empty()) {
    for (const Option& option : recipe::top_options()) {
      if (same_name(option.name, key)) found.push_back({"", option, {}});
    }
    return found;
  }
  const SectionReference reference = reference_of(section, catalog, Opening::yes);
  for (const Option& option : reference.keys) {
    if (same_name(option.name, key)) found.push_back({reference.name, option, {}});
  }
  for (const auto& plugin : reference.plugins) {
    for (const Option& option : plugin.options) {
      if (!same_name(option.name, key)) continue;
      const auto same = std::ranges::find_if(
          found, [&](const KeyReference& each) { return !each.plugins.empty() && alike(each.option, option); });
      if (same != found.end()) {
        same->plugins.push_back(plugin.name);
      } else {
        found.push_back({reference.name, option, {plugin.name}});
      }
    }
  }
  return found;
}

}  // namespace qfw

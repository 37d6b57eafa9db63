#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/catalog.h"
#include "qfw/options.h"

namespace qfw {

/// What a recipe, or a verb, may say of one kind of thing: a section with its keys, and the plugins that can serve there.
struct SectionReference {
  struct Plugin {
    std::string name, doc;
    std::vector<Option> options;
    std::string problem;  ///< why it cannot be opened
  };
  std::string name, doc;
  bool in_recipes = true;  ///< else only verbs take such plugins: writer, format
  bool has_plugins = false;
  std::string fallback;      ///< plugin where the recipe is silent
  std::vector<Option> keys;  ///< the core's, `name` of the plugin first
  std::vector<Plugin> plugins;

  /// Of the core's keys those that hold beside the options of a plugin, which may declare some itself.
  std::vector<Option> keys_beside(std::span<const Option> options) const;
};

/// Sections in the order of a resolved recipe, then kinds of plugins that have none. Nothing is opened for it.
std::vector<std::string> reference_names(const Catalog& catalog);
/// Of one of these names. Opens the plugins of the kind, unless told not to; then they have names only.
enum class Opening { yes, no };
SectionReference reference_of(std::string_view name, const Catalog& catalog, Opening opening);

/// One declaration of a key, and which plugins share it; none: it is the core's.
struct KeyReference {
  std::string section;  ///< empty: it stands in none
  Option option;
  std::vector<std::string> plugins;

  std::string full_name() const;
};
/// Every declaration of section.key (or of a key outside sections), whatever the case of its letters. Empty if there is none.
std::vector<KeyReference> key_references(std::string_view section, std::string_view key, const Catalog& catalog);

/// All keys of recipes and plugins as docs/recipe.md shows them.
std::string reference_in_markdown(const Catalog& catalog);

}  // namespace qfw

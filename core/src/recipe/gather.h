#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "recipe/recipe.h"
#include "recipe/source.h"

namespace qfw::recipe {

/// All that a recipe is made of, in order of precedence: base configuration, includes, recipe, command line.
std::vector<Source> gather(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                           const PluginSource& plugins, Problems& problems);

/// The plugin that `written` means: case does not matter.
std::optional<std::string> plugin_name(const PluginSource& plugins, std::string_view kind, std::string_view written);

constexpr std::size_t most_recipe_bytes = 1 << 20;

}  // namespace qfw::recipe

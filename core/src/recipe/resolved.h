#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recipe/recipe.h"
#include "recipe/source.h"

/// What Recipe keeps; the resolver fills it in.
namespace qfw::recipe {

/// An option with its value.
struct Value {
  Option option;
  OptionValue value;
  std::optional<Text> raw;  ///< instead of a value: a key of a plugin that is not there
  std::string origin;       ///< "default", "file:line", "schedule.num_epochs"
};

struct Section {
  std::string name;
  bool plugin = false;
  std::string chosen;        ///< plugin's name
  Place place;               ///< where it was chosen; the recipe as a whole if by default
  std::string key = "name";  ///< as it was written
  bool chosen_by_default = true;
  const FactoryBase* factory = nullptr;
  std::vector<Value> values;  ///< the core's first, then the plugin's
  Settings settings;          ///< the plugin's own
};

/// One [layer:GLOB].
struct Rule {
  std::string glob;
  Place place;
  std::vector<Value> values;
};

struct Resolved {
  std::string label, description;
  std::filesystem::path run_name;  ///< below runs/
  std::vector<std::string> notes;
  CoreSettings core;
  std::vector<Section> sections;
  std::vector<Rule> rules;
  std::shared_ptr<const PluginSource> plugins;
  bool dataset_available = true;

  const Section& section(std::string_view name) const;
  Settings quantizer_settings(std::string_view path, const Rule* without = nullptr) const;
};

/// Reads and resolves; with defaults in place of what `problems` then lists.
std::shared_ptr<const Resolved> resolve(std::string_view text, const std::filesystem::path& label,
                                        const std::vector<std::string>& overrides, std::shared_ptr<const PluginSource> plugins,
                                        const LoadOptions& options, Problems& problems);

/// Adds every rule whose glob matches none of `paths`.
void check_globs(const Resolved& resolved, std::span<const std::string> paths, Problems& problems);

/// Throws `error` again, its text after `where`.
[[noreturn]] void rethrow(const std::string& where, const std::exception& error);

}  // namespace qfw::recipe

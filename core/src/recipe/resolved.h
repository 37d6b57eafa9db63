#pragma once

#include <map>
#include <memory>
#include <mutex>
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
  std::string label, stem, description;
  std::vector<std::string> notes;
  CoreSettings core;
  std::vector<Section> sections;
  std::vector<Rule> rules;
  std::shared_ptr<const PluginSource> plugins;
  bool dataset_available = true;

  /// Quantizers made so far. Paths with equal settings share one.
  struct Instances {
    std::mutex mutex;
    std::map<std::string, std::size_t> by_settings;
    std::map<std::string, std::size_t, std::less<>> by_path;
    std::vector<std::shared_ptr<const Quantizer>> all;
  };
  std::shared_ptr<Instances> instances = std::make_shared<Instances>();

  const Section& section(std::string_view name) const;
  Settings quantizer_settings(std::string_view path, const Rule* without = nullptr) const;
};

/// Reads and resolves; throws what Problems collected.
std::shared_ptr<const Resolved> resolve(std::string_view text, const std::filesystem::path& label,
                                        const std::vector<std::string>& overrides, std::shared_ptr<const PluginSource> plugins,
                                        const LoadOptions& options,
                                        const std::function<Recipe(std::shared_ptr<const Resolved>)>& as_recipe);

/// What is wrong with a rule that matches none of `paths`; empty if it does.
std::string unmatched(const Rule& rule, std::span<const std::string> paths);

}  // namespace qfw::recipe

#include "recipe/recipe.h"

#include <fmt/format.h>

#include <algorithm>

#include "qfw/error.h"
#include "recipe/gather.h"
#include "recipe/glob.h"
#include "recipe/resolved.h"
#include "recipe/sections.h"
#include "recipe/value.h"
#include "util/text.h"

namespace qfw {
namespace {

class CatalogSource final : public PluginSource {
 public:
  explicit CatalogSource(const Catalog& catalog) : catalog_(catalog) {}
  std::vector<std::string> names(std::string_view kind) const override { return catalog_.names(kind); }
  const FactoryBase& find(std::string_view kind, std::string_view name) const override { return catalog_.find(kind, name); }

 private:
  const Catalog& catalog_;
};

}  // namespace

PluginSource::~PluginSource() = default;

std::shared_ptr<const PluginSource> plugins_of(const Catalog& catalog) { return std::make_shared<CatalogSource>(catalog); }

LoadedRecipe LoadedRecipe::load(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                std::shared_ptr<const PluginSource> plugins, const LoadOptions& options) {
  return parse(read_plain_text(file, recipe::most_recipe_bytes), file, overrides, std::move(plugins), options);
}

LoadedRecipe LoadedRecipe::parse(std::string_view text, const std::filesystem::path& label,
                                 const std::vector<std::string>& overrides, std::shared_ptr<const PluginSource> plugins,
                                 const LoadOptions& options) {
  recipe::Problems problems;
  auto resolved = recipe::resolve(text, label, overrides, std::move(plugins), options, problems);
  return {Recipe(std::move(resolved)), std::move(problems)};
}

bool LoadedRecipe::awaits_layers() const { return !recipe_.resolved_->rules.empty() && !problems_.in("model"); }

void LoadedRecipe::check_layers(std::span<const std::string> paths) {
  recipe::check_globs(*recipe_.resolved_, paths, problems_);
}

Recipe LoadedRecipe::checked() const {
  problems_.raise();
  return recipe_;
}

Recipe Recipe::load(const std::filesystem::path& file, const std::vector<std::string>& overrides, const Catalog& catalog,
                    const LoadOptions& options) {
  return load(file, overrides, plugins_of(catalog), options);
}

Recipe Recipe::load(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                    std::shared_ptr<const PluginSource> plugins, const LoadOptions& options) {
  return LoadedRecipe::load(file, overrides, std::move(plugins), options).checked();
}

Recipe Recipe::parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                     const Catalog& catalog, const LoadOptions& options) {
  return parse(text, label, overrides, plugins_of(catalog), options);
}

Recipe Recipe::parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                     std::shared_ptr<const PluginSource> plugins, const LoadOptions& options) {
  return LoadedRecipe::parse(text, label, overrides, std::move(plugins), options).checked();
}

const std::string& Recipe::description() const { return resolved_->description; }
const std::string& Recipe::stem() const { return resolved_->stem; }
const std::string& Recipe::label() const { return resolved_->label; }
const std::vector<std::string>& Recipe::notes() const { return resolved_->notes; }
const CoreSettings& Recipe::core() const { return resolved_->core; }
bool Recipe::dataset_available() const { return resolved_->dataset_available; }

std::filesystem::path Recipe::run_dir() const {
  return run().dir.empty() ? std::filesystem::path("runs") / stem() : expand_home(run().dir);
}

std::filesystem::path Recipe::dataset_cache_dir() const { return expand_home(dataset().cache_dir); }

const std::string& Recipe::name(std::string_view kind) const { return resolved_->section(kind).chosen; }
const Settings& Recipe::settings(std::string_view kind) const { return resolved_->section(kind).settings; }

const FactoryBase& Recipe::factory(std::string_view kind) const {
  const recipe::Section& section = resolved_->section(kind);
  if (section.factory == nullptr) {
    fail(Error::Category::usage, "recipe", fmt::format("there is no {} '{}'", kind, section.chosen), section.place.str());
  }
  return *section.factory;
}

void Recipe::guarded(std::string_view kind, const std::function<void()>& make) const {
  try {
    make();
  } catch (const std::exception& error) {
    const recipe::Section& section = resolved_->section(kind);
    recipe::rethrow(fmt::format("{}: {}: {}", section.place.str(), recipe::full_name(kind, section.key), section.chosen),
                    error);
  }
}

Settings Recipe::quantizer_settings(std::string_view path) const { return resolved_->quantizer_settings(path); }

std::vector<std::string> Recipe::idle_layer_sections(std::span<const std::string> paths) const {
  std::vector<std::string> idle;
  for (const recipe::Rule& rule : resolved_->rules) {
    const bool changes = std::ranges::any_of(paths, [&](const std::string& path) {
      return resolved_->quantizer_settings(path) != resolved_->quantizer_settings(path, &rule);
    });
    if (!changes) idle.push_back(fmt::format("[{}{}] ({})", recipe::layer_prefix, rule.glob, rule.place.str()));
  }
  return idle;
}

std::string Recipe::text(bool with_run_section) const {
  std::string text;
  if (!description().empty()) text += "description = " + recipe::quote(description()) + "\n\n";
  const auto write = [&](const recipe::Value& value) {
    text += value.option.name + " = ";
    text += value.raw ? recipe::quote(value.raw->value, value.raw->quoted) : recipe::write_value(value.option, value.value);
    text += '\n';
  };
  for (const recipe::Section& section : resolved_->sections) {
    if (section.name == "run" && !with_run_section) continue;
    text += fmt::format("[{}]\n", section.name);
    if (section.plugin) text += "name = " + recipe::quote(section.chosen) + "\n";
    for (const recipe::Value& value : section.values) write(value);
    text += '\n';
    if (section.name != "quantizer") continue;
    for (const recipe::Rule& rule : resolved_->rules) {
      text += fmt::format("[{}{}]\n", recipe::layer_prefix, rule.glob);
      for (const recipe::Value& value : rule.values) write(value);
      text += '\n';
    }
  }
  text.pop_back();
  return text;
}

std::vector<Recipe::Row> Recipe::table() const {
  std::vector<Row> rows;
  const auto add = [&](const std::string& section, const recipe::Value& value) {
    rows.push_back({section, value.option.name, value.raw ? value.raw->value : to_string(value.value), value.origin,
                    value.option.doc, !value.raw && value.value == value.option.default_value});
  };
  for (const recipe::Section& section : resolved_->sections) {
    if (section.plugin) {
      rows.push_back({section.name, "name", section.chosen, section.chosen_by_default ? "default" : section.place.str(),
                      section.factory != nullptr ? section.factory->doc : ""});
    }
    for (const recipe::Value& value : section.values) add(section.name, value);
    if (section.name != "quantizer") continue;
    for (const recipe::Rule& rule : resolved_->rules) {
      for (const recipe::Value& value : rule.values) add(std::string(recipe::layer_prefix) + rule.glob, value);
    }
  }
  return rows;
}

namespace recipe {

void rethrow(const std::string& where, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  throw Error(known == nullptr ? Error::Category::internal : known->category(), where + ": " + error.what());
}

const Section& Resolved::section(std::string_view name) const {
  for (const Section& section : sections) {
    if (section.name == name) return section;
  }
  fail(Error::Category::internal, "recipe", fmt::format("no section '{}'", name));
}

Settings Resolved::quantizer_settings(std::string_view path, const Rule* without) const {
  Settings settings = section("quantizer").settings;
  for (const Rule& rule : rules) {
    if (&rule == without || !glob_match(rule.glob, path)) continue;
    for (const Value& value : rule.values) {
      for (auto& [name, current] : settings) {
        if (name == value.option.name) current = value.value;
      }
    }
  }
  return settings;
}

}  // namespace recipe
}  // namespace qfw

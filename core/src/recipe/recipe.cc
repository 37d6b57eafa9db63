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

[[noreturn]] void rethrow(const std::string& where, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  throw Error(known == nullptr ? Error::Category::internal : known->category(), where + ": " + error.what());
}

}  // namespace

PluginSource::~PluginSource() = default;

Recipe Recipe::load(const std::filesystem::path& file, const std::vector<std::string>& overrides, const Catalog& catalog,
                    const LoadOptions& options) {
  return load(file, overrides, std::make_shared<CatalogSource>(catalog), options);
}

Recipe Recipe::load(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                    std::shared_ptr<const PluginSource> plugins, const LoadOptions& options) {
  return parse(read_plain_text(file, recipe::most_recipe_bytes), file, overrides, std::move(plugins), options);
}

Recipe Recipe::parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                     const Catalog& catalog, const LoadOptions& options) {
  return parse(text, label, overrides, std::make_shared<CatalogSource>(catalog), options);
}

Recipe Recipe::parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                     std::shared_ptr<const PluginSource> plugins, const LoadOptions& options) {
  const auto as_recipe = [](std::shared_ptr<const recipe::Resolved> resolved) { return Recipe(std::move(resolved)); };
  return as_recipe(recipe::resolve(text, label, overrides, std::move(plugins), options, as_recipe));
}

const std::string& Recipe::description() const { return resolved_->description; }
const std::string& Recipe::stem() const { return resolved_->stem; }
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
    rethrow(fmt::format("{}: {}: {}", section.place.str(), recipe::full_name(kind, section.key), section.chosen), error);
  }
}

Settings Recipe::quantizer_settings(std::string_view path) const { return resolved_->quantizer_settings(path); }

std::size_t Recipe::quantizer_index(std::string_view path) const {
  auto& instances = *resolved_->instances;
  const std::scoped_lock lock(instances.mutex);
  if (const auto known = instances.by_path.find(path); known != instances.by_path.end()) return known->second;
  const Settings settings = resolved_->quantizer_settings(path);
  std::string key;
  for (const auto& [name, value] : settings) key += fmt::format("{}={}:{}\n", name, value.index(), to_string(value));
  auto [entry, fresh] = instances.by_settings.try_emplace(key, instances.all.size());
  if (fresh) {
    const recipe::Section& section = resolved_->section("quantizer");
    const auto& factory = dynamic_cast<const Factory<Quantizer>&>(this->factory("quantizer"));
    try {
      instances.all.push_back(factory.make(settings));
    } catch (const std::exception& error) {
      instances.by_settings.erase(entry);
      std::string where = fmt::format("{}: quantizer.{}: {}", section.place.str(), section.key, section.chosen);
      for (const recipe::Rule& rule : resolved_->rules) {  // the last one that has a say
        if (glob_match(rule.glob, path))
          where = fmt::format("{}: [layer:{}]: {} of {}", rule.place.str(), rule.glob, section.chosen, path);
      }
      rethrow(where, error);
    }
  }
  instances.by_path.emplace(path, entry->second);
  return entry->second;
}

std::shared_ptr<const Quantizer> Recipe::quantizer_for(std::string_view path) const {
  const std::size_t index = quantizer_index(path);
  const std::scoped_lock lock(resolved_->instances->mutex);
  return resolved_->instances->all[index];
}

std::vector<std::shared_ptr<const Quantizer>> Recipe::quantizers() const {
  const std::scoped_lock lock(resolved_->instances->mutex);
  return resolved_->instances->all;
}

void Recipe::check_layers(std::span<const std::string> paths) const {
  recipe::Problems problems;
  for (const recipe::Rule& rule : resolved_->rules) {
    const std::string wrong = recipe::unmatched(rule, paths);
    if (!wrong.empty()) problems.add(rule.place, std::string(recipe::layer_prefix) + rule.glob, "", wrong);
  }
  problems.raise();
  for (const std::string& path : paths) quantizer_index(path);
}

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
    rows.push_back(
        {section, value.option.name, value.raw ? value.raw->value : to_string(value.value), value.origin, value.option.doc,
                    !value.raw && value.value == value.option.default_value});
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

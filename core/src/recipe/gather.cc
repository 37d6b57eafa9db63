#include "recipe/gather.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "qfw/error.h"
#include "qfw/format.h"
#include "recipe/sections.h"
#include "recipe/value.h"
#include "util/nearest.h"
#include "util/text.h"

namespace qfw::recipe {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_foreign_bytes = 4 << 20;

/// A path that stands in the file `from`.
fs::path beside(const fs::path& from, const std::string& path) {
  return (from.parent_path() / expand_home(path)).lexically_normal();
}

fs::path identity(const fs::path& file) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(file, error);
  return error ? file : real;
}

/// The content of a file that `entry` names; nothing, and a problem, if it cannot be read.
std::optional<std::string> read_named(const Entry& entry, const fs::path& file, std::size_t most, const std::string& hint,
                                      Problems& problems) {
  try {
    return read_plain_text(file, most);
  } catch (const Error& error) {
    problems.add(entry, error.what() + hint);
    return std::nullopt;
  }
}

constexpr const char* relative = "; the path is relative to the file that names it";

std::string joined(const std::vector<fs::path>& chain) {
  std::vector<std::string> names;
  for (const fs::path& link : chain) names.push_back(link.string());
  return fmt::format("{}", fmt::join(names, " -> "));
}

void gather_includes(const Source& source, std::vector<fs::path>& chain, int rank, std::vector<Source>& sources,
                     Problems& problems) {
  const Entry* include = source.find("", "include");
  if (include == nullptr || is_left_out(include->text)) return;
  const fs::path file = beside(source.label, include->text.value);
  chain.push_back(file);
  const auto same = [&](const fs::path& other) { return identity(other) == identity(file); };
  if (std::any_of(chain.begin(), chain.end() - 1, same)) {
    problems.add(*include, "a recipe cannot include itself: " + joined(chain));
    return;
  }
  const auto text =
      read_named(*include, file, most_recipe_bytes, relative + (chain.size() > 2 ? ": " + joined(chain) : ""), problems);
  if (!text) return;
  Source included = read_ini(*text, file.string(), rank, problems);
  gather_includes(included, chain, rank - 1, sources, problems);
  sources.push_back(std::move(included));
}

/// Of equal keys at the top the one with the highest precedence.
const Entry* top(const std::vector<Source>& sources, std::string_view key) {
  const Entry* found = nullptr;
  for (const Source& source : sources) {
    if (const Entry* entry = source.find("", key)) found = entry;
  }
  return found;
}

/// The format that serves the recipe: the one that it asks for, or the default, whose absence is an error only where a file
/// (`base`) needs it.
std::unique_ptr<Format> serving_format(const Entry* asked, const Entry* base, const Place& whole, const PluginSource& plugins,
                                       Problems& problems) {
  const std::string written = asked == nullptr ? default_format : asked->text.value;
  const auto name = plugin_name(plugins, Format::kind, written);
  if (asked == nullptr && base == nullptr && !name) return nullptr;
  try {
    const auto* factory = dynamic_cast<const Factory<Format>*>(&plugins.find(Format::kind, name.value_or(written)));
    if (factory == nullptr) fail(Error::Category::internal, "recipe", "factory of another type than its kind", written);
    return factory->make({});
  } catch (const std::exception& error) {
    if (asked != nullptr) {
      problems.add(*asked, error.what());
    } else if (base != nullptr) {
      problems.add(*base, error.what());
    } else {
      problems.add(whole, "", "base_config_format", error.what());
    }
    problems.caused_by(error);
    return nullptr;
  }
}

Source foreign(const Entry& named, const Format* format, Problems& problems) {
  const bool overridden = named.place.rank == override_rank;
  const fs::path file = overridden ? expand_home(named.text.value) : beside(named.place.file, named.text.value);
  Source source{file.string(), {}, {}};
  const auto text = read_named(named, file, most_foreign_bytes, overridden ? "" : relative, problems);
  if (!text || format == nullptr) return source;
  try {
    for (Format::Setting& setting : format->to_recipe(*text)) {
      Entry entry{setting.section, setting.key, {setting.value}, {source.label, 0, setting.origin, base_rank}};
      std::erase_if(source.entries, [&](const Entry& e) { return e.section == entry.section && e.key == entry.key; });
      if (source.headers.empty() || source.headers.back().section != entry.section) {
        source.headers.push_back({entry.section, "", {}, entry.place});
      }
      entry.header = static_cast<int>(source.headers.size()) - 1;
      source.entries.push_back(std::move(entry));
    }
  } catch (const std::exception& error) {
    problems.add(named, fmt::format("{}: {}", source.label, error.what()));
    problems.caused_by(error);
    source.entries.clear();
    source.headers.clear();
  }
  return source;
}

std::vector<Format::Alias> aliases(const Format* format, const Place& place, Problems& problems) {
  if (format == nullptr) return {};
  try {
    return format->aliases();
  } catch (const std::exception& error) {
    problems.add(place, "", "base_config_format", error.what());
    problems.caused_by(error);
    return {};
  }
}

/// The options of layers are the quantizer's.
bool concerns(const Format::Alias& alias, std::string_view section) {
  return section == alias.section || (alias.section == "quantizer" && section.starts_with(layer_prefix));
}

void translate_value(Entry& entry, const Format::Alias& alias, const PluginSource& plugins) {
  if (alias.key == "name" && plugin_name(plugins, alias.section, entry.text.value)) return;
  for (const auto& [word, meaning] : alias.values) {
    if (!same_name(word, entry.text.value)) continue;
    entry.text.value = meaning;
    return;
  }
}

/// Other words for keys and values become the recipe's.
void translate(Source& source, const Format::Alias& alias, const PluginSource& plugins, Problems& problems) {
  std::vector<Entry> translated;
  for (Entry entry : source.entries) {
    const bool renamed = entry.key == alias.written && alias.written != alias.key;
    if (!concerns(alias, entry.section) || (!renamed && entry.key != alias.key)) {
      translated.push_back(std::move(entry));
      continue;
    }
    if (renamed) {
      if (const Entry* other = source.find(entry.section, alias.key)) {
        problems.add(entry, fmt::format("is another word for {}, which is given, too ({})", alias.key, other->place.str()));
        continue;
      }
      entry.written = std::exchange(entry.key, alias.key);
    }
    translate_value(entry, alias, plugins);
    translated.push_back(std::move(entry));
  }
  source.entries = std::move(translated);
}

void check_top(const std::vector<Source>& sources, Problems& problems) {
  for (const Source& source : sources) {
    for (const Entry& entry : source.entries) {
      if (!entry.section.empty()) continue;
      if (entry.key == "include" && entry.place.rank == override_rank) {
        problems.add(entry, "only a file can include another");
      } else if (std::find(top_keys.begin(), top_keys.end(), entry.key) == top_keys.end()) {
        const std::string near = nearest(entry.key, std::vector<std::string>(top_keys.begin(), top_keys.end()));
        problems.add(entry, near.empty() ? fmt::format("is no key outside sections; there are {}", fmt::join(top_keys, ", "))
                                         : "is no key outside sections; nearest valid name: " + near);
      }
    }
  }
}

}  // namespace

std::optional<std::string> plugin_name(const PluginSource& plugins, std::string_view kind, std::string_view written) {
  for (const std::string& name : plugins.names(kind)) {
    if (same_name(name, written)) return name;
  }
  return std::nullopt;
}

std::vector<Source> gather(std::string_view text, const fs::path& label, const std::vector<std::string>& overrides,
                           const PluginSource& plugins, Problems& problems) {
  std::vector<Source> sources;
  Source recipe = read_ini(text, label.string(), recipe_rank, problems);
  std::vector<fs::path> chain = {label};
  gather_includes(recipe, chain, recipe_rank - 1, sources, problems);
  sources.push_back(std::move(recipe));
  sources.push_back(read_overrides(overrides, override_rank, problems));
  check_top(sources, problems);
  const Entry* base = top(sources, "base_config_filename");
  if (base != nullptr && is_left_out(base->text)) base = nullptr;
  const Place whole{label.string(), 0, {}, recipe_rank};
  const Entry* asked = top(sources, "base_config_format");
  const Place place = asked == nullptr ? whole : asked->place;
  const auto format = serving_format(asked, base, whole, plugins, problems);
  if (base != nullptr) sources.insert(sources.begin(), foreign(*base, format.get(), problems));
  for (const Format::Alias& alias : aliases(format.get(), place, problems)) {
    for (Source& source : sources) translate(source, alias, plugins, problems);
  }
  return sources;
}

}  // namespace qfw::recipe

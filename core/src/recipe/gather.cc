#include "recipe/gather.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "qfw/error.h"
#include "qfw/format.h"
#include "util/nearest.h"
#include "util/text.h"

namespace qfw::recipe {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> top_keys = {"description", "include", "base_config_filename", "base_config_format"};
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
  if (include == nullptr || include->text.value.empty()) return;
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

Source foreign(const Entry& named, const Entry* format_entry, const PluginSource& plugins, Problems& problems) {
  const std::string asked = format_entry == nullptr ? "aqt" : format_entry->text.value;
  const bool overridden = named.place.rank == override_rank;
  const fs::path file = overridden ? expand_home(named.text.value) : beside(named.place.file, named.text.value);
  Source source{file.string(), {}, {}};
  const auto text = read_named(named, file, most_foreign_bytes, overridden ? "" : relative, problems);
  if (!text) return source;
  std::unique_ptr<Format> format;
  try {
    const FactoryBase& factory = plugins.find(Format::kind, plugin_name(plugins, Format::kind, asked).value_or(asked));
    if (const auto* typed = dynamic_cast<const Factory<Format>*>(&factory)) format = typed->make({});
  } catch (const std::exception& error) {
    problems.add(format_entry == nullptr ? named : *format_entry, error.what());
    problems.caused_by(error);
  }
  if (!format) return source;
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

/// `quant_target`, the original's word for the quantizer's name.
void translate_aliases(Source& source, Problems& problems) {
  const Entry* name = source.find("quantizer", "name");
  const Entry* alias = source.find("quantizer", "quant_target");
  if (alias == nullptr) return;
  if (name != nullptr) {
    problems.add(*alias, fmt::format("is another word for name, which is given, too ({})", name->place.str()));
    std::erase_if(source.entries, [](const Entry& e) { return e.section == "quantizer" && e.key == "quant_target"; });
    return;
  }
  for (Entry& entry : source.entries) {
    if (&entry == alias) entry.written = "quant_target", entry.key = "name";
  }
}

void check_top(const std::vector<Source>& sources, Problems& problems) {
  for (const Source& source : sources) {
    for (const Entry& entry : source.entries) {
      if (!entry.section.empty()) continue;
      if (entry.key == "include" && entry.place.rank == override_rank) {
        problems.add(entry, "only a file can include another");
      } else if (std::find(top_keys.begin(), top_keys.end(), entry.key) == top_keys.end()) {
        const std::string near = nearest(entry.key, top_keys);
        problems.add(entry, near.empty() ? fmt::format("is no key outside sections; there are {}", fmt::join(top_keys, ", "))
                                         : "is no key outside sections; nearest valid name: " + near);
      }
    }
  }
}

}  // namespace

std::optional<std::string> plugin_name(const PluginSource& plugins, std::string_view kind, std::string_view written) {
  const std::vector<std::string> known = plugins.names(kind);
  for (const std::string& name : known) {
    if (same_name(name, written)) return name;
  }
  for (const std::string& name : known) {
    if (kind == "quantizer" && same_name(name, std::string(written) + "s")) return name;
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
  if (base != nullptr && !base->text.value.empty() && (base->text.quoted || base->text.value != "none")) {
    sources.insert(sources.begin(), foreign(*base, top(sources, "base_config_format"), plugins, problems));
  }
  for (Source& source : sources) translate_aliases(source, problems);
  return sources;
}

}  // namespace qfw::recipe

#include "recipe/resolver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "recipe/gather.h"
#include "recipe/value.h"
#include "util/nearest.h"

namespace qfw::recipe {
namespace {

bool has(const std::vector<Option>& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(), [&](const Option& option) { return option.name == name; });
}

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

}  // namespace

Resolver::Resolver(const std::vector<Source>& sources, const Source& recipe, const PluginSource& plugins,
                   const LoadOptions& options, Problems& problems)
    : sources_(sources), recipe_(recipe), plugins_(plugins), options_(options), problems_(problems) {}

bool Resolver::unknown_key(const Entry& entry, const std::string& what, const std::vector<std::string>& known) {
  const std::string near = nearest(entry.key, known);
  if (!near.empty()) {
    problems_.add(entry, fmt::format("{}; nearest valid name: {}", what, near));
  } else if (known.empty()) {
    problems_.add(entry, what + "; it has none");
  } else {
    problems_.add(entry, fmt::format("{}; valid names: {}", what, fmt::join(known, ", ")));
  }
  return false;
}

void Resolver::check_sections() {
  const std::vector<std::string> known = section_names();
  for (const Source& source : sources_) {
    std::set<std::string> seen;
    for (const Entry& header : source.headers) {
      const std::string& name = header.section;
      if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) continue;
      if (!seen.insert(name).second) continue;
      if (name.starts_with(layer_prefix)) {
        if (name.size() == layer_prefix.size()) problems_.add(header, "names no layer; write [layer:GLOB]");
        if (name.find_first_of("]#\r\n") != std::string::npos)
          problems_.add(header, "matches no layer: no path has a ], a # or the end of a line in it");
        continue;
      }
      std::vector<std::string> all = known;
      all.push_back("layer:GLOB");
      const std::string near = nearest(name, known);
      problems_.add(header, near.empty() ? fmt::format("unknown section; there are {}", fmt::join(all, ", "))
                                         : "unknown section; nearest valid name: " + near);
    }
  }
}

void Resolver::choose(Draft& draft, const std::string& written) {
  draft.chosen = plugin_name(plugins_, draft.kind->name, written).value_or(written);
  draft.factory = nullptr;
  draft.own.clear();
  draft.missing.clear();
  draft.broken.reset();
  try {
    draft.factory = &plugins_.find(draft.kind->name, draft.chosen);
    draft.own = draft.factory->options;
  } catch (const Error& error) {
    draft.missing = error.what();
    draft.broken = error;
  }
}

bool Resolver::lacks(const Draft& draft, const Entry& entry) const {
  return draft.factory != nullptr && !has(draft.own, entry.key);
}

void Resolver::note_dropped(const Draft& draft, const Entry& entry) {
  notes_.push_back(fmt::format("{} ({}) is dropped: {} {} ({}) has no such option", entry.full_name(), entry.place.str(),
                               draft.kind->name, draft.chosen, draft.name->place.str()));
}

/// Removes the keys of earlier sources that `unfit` says.
void Resolver::drop(Draft& draft, const std::function<bool(const Entry&)>& unfit) {
  std::erase_if(draft.given, [&](const auto& item) { return unfit(*item.second); });
  if (!draft.has_rules()) return;
  for (DraftRule& rule : rules_) {
    std::erase_if(rule.given, [&](const Entry* entry) { return unfit(*entry); });
  }
}

/// A later source named another plugin.
void Resolver::drop_lacking(Draft& draft) {
  drop(draft, [&](const Entry& entry) {
    const bool lacking = !has(draft.core, entry.key) && lacks(draft, entry);
    if (lacking) note_dropped(draft, entry);
    return lacking;
  });
}

/// A later source sets an option that stands in the place of one set before (Option::replaces).
void Resolver::drop_replaced(Draft& draft, const Source& source) {
  for (const Entry& entry : source.entries) {
    if (entry.section != draft.kind->name) continue;
    for (const Option& option : draft.own) {
      if (option.name != entry.key || option.replaces.empty()) continue;
      if (takes_none(option) && entry.text.value == "none" && !entry.text.quoted) continue;  // which takes nobody's place
      if (const auto before = draft.given.find(option.replaces); before != draft.given.end()) {
        notes_.push_back(fmt::format("{} ({}) is dropped: {} ({}) takes its place", before->second->full_name(),
                                     before->second->place.str(), entry.full_name(), entry.place.str()));
        draft.given.erase(before);
      }
    }
  }
}

/// The plugin was named for the first time (or never, and is the default): what came before was meant for it, or for the
/// default.
void Resolver::judge_earlier(Draft& draft) {
  std::optional<std::vector<Option>> fallback;
  const auto meant_for_default = [&](const Entry& entry) {
    if (!fallback) {
      Draft other;
      other.kind = draft.kind;
      if (draft.kind->fallback != nullptr && draft.name != nullptr) choose(other, draft.kind->fallback);
      fallback = other.own;
    }
    return has(*fallback, entry.key);
  };
  drop(draft, [&](const Entry& entry) {
    if (!has(draft.core, entry.key) && lacks(draft, entry) && meant_for_default(entry)) {
      note_dropped(draft, entry);
      return true;
    }
    return entry.section == draft.kind->name ? !judge(draft, entry) : !judge_for_layer(draft, entry);
  });
}

/// Whether the key exists, as far as one can tell: of a plugin that is not there or not yet named every key does.
bool Resolver::judge(const Draft& draft, const Entry& entry) {
  if (has(draft.core, entry.key) || (draft.kind->plugin && !lacks(draft, entry))) return true;
  std::vector<std::string> known = names_of(draft.core);
  if (!draft.kind->plugin) return unknown_key(entry, "unknown key", known);
  known.push_back("name");
  for (const Option& option : draft.own) known.push_back(option.name);
  return unknown_key(
      entry, fmt::format("{} {} has no such option{}", draft.kind->name, draft.chosen, who_has(draft, entry.key)), known);
}

/// ", communicator threads has it", or nothing.
std::string Resolver::who_has(const Draft& draft, const std::string& key) const {
  std::vector<std::string> others;
  for (const std::string& name : plugins_.names(draft.kind->name)) {
    try {
      if (has(plugins_.find(draft.kind->name, name).options, key)) others.push_back(name);
    } catch (const Error&) {  // one that cannot be used has nothing to offer
    }
  }
  if (others.empty()) return {};
  return fmt::format(", {} {} {} it", draft.kind->name, fmt::join(others, ", "), others.size() == 1 ? "has" : "have");
}

bool Resolver::judge_for_layer(const Draft& draft, const Entry& entry) {
  if (entry.key == "name") {
    problems_.add(entry, "a layer cannot have another quantizer, only other options of it (bounds, weight_prec, ...)");
    return false;
  }
  if (has(draft.core, entry.key) && (draft.factory == nullptr || lacks(draft, entry))) {
    problems_.add(entry, "holds for all layers; set it in [quantizer]");
    return false;
  }
  if (!lacks(draft, entry)) return true;
  return unknown_key(entry, fmt::format("quantizer {} has no such option", draft.chosen), names_of(draft.own));
}

void Resolver::take_rules(Draft& draft, const Source& source) {
  for (std::size_t h = 0; h < source.headers.size(); ++h) {
    const Entry& header = source.headers[h];
    if (!header.section.starts_with(layer_prefix) || header.section.size() == layer_prefix.size()) continue;
    DraftRule rule{&header, header.section.substr(layer_prefix.size()), false, {}};
    for (const Entry& entry : source.entries) {
      if (entry.header != static_cast<int>(h)) continue;
      rule.had_keys = true;
      if (!judge_for_layer(draft, entry)) continue;
      for (DraftRule& earlier : rules_) {  // the same glob in an earlier source
        if (earlier.glob == rule.glob) std::erase_if(earlier.given, [&](const Entry* e) { return e->key == entry.key; });
      }
      rule.given.push_back(&entry);
    }
    rules_.push_back(std::move(rule));
  }
}

Resolver::Draft Resolver::merge(const SectionKind& kind) {
  Draft draft;
  draft.kind = &kind;
  draft.core = core_options(kind.name);
  for (const Source& source : sources_) {
    const Entry* name = kind.plugin ? source.find(kind.name, "name") : nullptr;
    if (name != nullptr) {
      const bool first = draft.name == nullptr;
      const std::string before = draft.chosen;
      draft.name = name;
      choose(draft, name->text.value);
      if (first) {
        judge_earlier(draft);
      } else if (draft.chosen != before) {
        drop_lacking(draft);
      }
    }
    drop_replaced(draft, source);
    for (const Entry& entry : source.entries) {
      if (entry.section == kind.name && &entry != name && judge(draft, entry)) draft.given[entry.key] = &entry;
    }
    if (draft.has_rules()) take_rules(draft, source);
  }
  if (draft.name == nullptr && kind.fallback != nullptr) {
    choose(draft, kind.fallback);
    judge_earlier(draft);
  }
  check_choice(draft);
  return draft;
}

void Resolver::check_choice(const Draft& draft) {
  if (!draft.kind->plugin || draft.factory != nullptr) return;
  const std::string_view kind = draft.kind->name;
  if (options_.data_only && kind != "dataset" && kind != "augment") return;
  const Place whole{recipe_.label, 0, {}, recipe_rank};
  if (draft.chosen.empty()) {
    if (problems_.in("")) return;  // an include or a base configuration that could not be read may have named it
    const std::vector<std::string> known = plugins_.names(kind);
    problems_.add(whole, kind, "name",
                  fmt::format("is missing; there are: {}", known.empty() ? "none" : fmt::to_string(fmt::join(known, ", "))));
    return;
  }
  if (kind == "dataset" && options_.dataset_optional) {
    std::string kept;
    for (const auto& [key, entry] : draft.given) {
      if (!has(draft.core, key)) kept += (kept.empty() ? "" : ", ") + key;
    }
    notes_.push_back(
        fmt::format("dataset {} is not installed{}", draft.chosen, kept.empty() ? "" : "; kept unchecked: " + kept));
    return;
  }
  if (draft.broken) problems_.caused_by(*draft.broken);
  if (draft.name != nullptr) {
    problems_.add(*draft.name, draft.missing);
  } else {
    problems_.add(whole, kind, "name", draft.missing + " (taken by default)");
  }
}

}  // namespace qfw::recipe

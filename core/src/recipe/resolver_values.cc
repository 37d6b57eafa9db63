#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "recipe/resolver.h"
#include "recipe/value.h"

namespace qfw::recipe {
namespace {

bool has(const std::vector<Option>& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(), [&](const Option& option) { return option.name == name; });
}

std::string check_image_shape(const OptionValue& value) {
  const auto* extents = std::get_if<std::vector<std::int64_t>>(&value);
  if (extents == nullptr || extents->size() == 3) return {};
  return fmt::format("'{}' is not height,width,channels", to_string(value));
}

}  // namespace

Section Resolver::finish(const Draft& draft, Resolved& resolved) {
  Section section;
  section.name = draft.kind->name;
  section.plugin = draft.kind->plugin;
  section.chosen = draft.chosen;
  section.place = draft.name != nullptr ? draft.name->place : Place{recipe_.label, 0, {}, recipe_rank};
  section.chosen_by_default = draft.name == nullptr;
  if (draft.name != nullptr && !draft.name->written.empty()) section.key = draft.name->written;
  section.factory = draft.factory;
  std::vector<Option> options;
  for (const Option& option : draft.core) {
    if (!has(draft.own, option.name)) options.push_back(option);  // declared by both: the plugin's word counts
  }
  options.insert(options.end(), draft.own.begin(), draft.own.end());
  for (Option& option : options) {
    Value value{option, option.default_value, {}, "default"};
    if (const auto given = draft.given.find(option.name); given != draft.given.end()) {
      const Entry& entry = *given->second;
      value.origin = entry.place.str();
      std::string wrong = read_value(option, entry.text, value.value);
      if (wrong.empty() && section.name == "dataset" && option.name == "shape") wrong = check_image_shape(value.value);
      if (!wrong.empty()) {
        problems_.add(entry, wrong);
        value.value = option.default_value;  // so that no other error follows from it
      }
    }
    section.values.push_back(std::move(value));
  }
  if (section.plugin && section.factory == nullptr) {
    for (const auto& [key, entry] : draft.given) {
      if (has(draft.core, key)) continue;
      Value value{{}, {}, entry->text, entry->place.str()};
      value.option.name = key;
      value.option.doc = "not checked, as the plugin is not installed";
      section.values.push_back(std::move(value));
    }
    resolved.dataset_available = resolved.dataset_available && section.name != "dataset";
  }
  return section;
}

/// Where a value comes from at last; nothing if the chain ends at an option that is not there.
const Value* Resolver::inherited(const Resolved& resolved, const Value& value, int depth) const {
  if (value.origin != "default" || value.option.inherits.empty()) return &value;
  const std::string& from = value.option.inherits;
  const std::size_t dot = from.find('.');
  if (depth > 8 || dot == std::string::npos) return nullptr;
  for (const Section& section : resolved.sections) {
    if (section.name != from.substr(0, dot)) continue;
    for (const Value& other : section.values) {
      if (other.option.name == from.substr(dot + 1) && !other.raw) {
        const Value* end = inherited(resolved, other, depth + 1);
        return end == nullptr ? &other : end;
      }
    }
  }
  return nullptr;
}

void Resolver::inherit(Resolved& resolved) {
  for (Section& section : resolved.sections) {
    for (Value& value : section.values) {
      const Value* from = inherited(resolved, value, 0);
      if (from == nullptr || from == &value) continue;
      OptionValue adopted = from->value;
      if (const std::string wrong = adopt_value(value.option, adopted); !wrong.empty()) {
        problems_.add(section.place, section.name, value.option.name,
                      fmt::format("{} (inherited from {})", wrong, value.option.inherits));
        continue;
      }
      value.value = std::move(adopted);
    }
  }
  for (Section& section : resolved.sections) {  // only now, so that chains saw "default"
    for (Value& value : section.values) {
      const Value* from = inherited(resolved, value, 0);
      if (from != nullptr && from != &value) value.origin = value.option.inherits;
    }
  }
}

void Resolver::finish_rules(const Draft& quantizer, Resolved& resolved) {
  if (quantizer.factory == nullptr) return;
  for (const DraftRule& draft : rules_) {
    if (draft.had_keys && draft.given.empty()) continue;
    Rule rule{draft.glob, draft.header->place, {}};
    if (rule.place.line == 0 && !draft.given.empty()) rule.place = draft.given.front()->place;
    for (const Option& option : quantizer.own) {
      for (const Entry* entry : draft.given) {
        if (entry->key != option.name) continue;
        Value value{option, {}, {}, entry->place.str()};
        if (const std::string wrong = read_value(option, entry->text, value.value); !wrong.empty())
          problems_.add(*entry, wrong);
        rule.values.push_back(std::move(value));
      }
    }
    resolved.rules.push_back(std::move(rule));
  }
}

/// What was set for this very plugin, and means nothing to it. What an earlier source set was meant for another.
void Resolver::note_unused(const Draft& draft) {
  std::vector<std::string> idle;
  const auto collect = [&](const Entry& entry) {
    const auto option = std::find_if(draft.own.begin(), draft.own.end(), [&](const Option& o) { return o.name == entry.key; });
    if (option == draft.own.end() || !option->unused) return;
    if (draft.name != nullptr && entry.place.rank < draft.name->place.rank) return;
    OptionValue value;
    if (read_value(*option, entry.text, value).empty() && value != option->default_value)
      idle.push_back(fmt::format("{} ({})", entry.full_name(), entry.place.str()));
  };
  for (const auto& [key, entry] : draft.given) collect(*entry);
  if (draft.has_rules()) {
    for (const DraftRule& rule : rules_) std::ranges::for_each(rule.given, [&](const Entry* entry) { collect(*entry); });
  }
  if (idle.empty()) return;
  constexpr std::size_t told = 3;
  const std::size_t rest = idle.size() > told ? idle.size() - told : 0;
  idle.resize(idle.size() - rest);
  notes_.push_back(fmt::format("{} {} makes no use of {}{}", draft.kind->name, draft.chosen, fmt::join(idle, ", "),
                               rest > 0 ? fmt::format(" and {} more", rest) : ""));
}

void Resolver::resolve(Resolved& resolved) {
  check_sections();
  for (const SectionKind& kind : section_kinds()) {
    const Draft draft = merge(kind);
    resolved.sections.push_back(finish(draft, resolved));
    if (draft.has_rules()) finish_rules(draft, resolved);
    note_unused(draft);
  }
  inherit(resolved);
  for (Section& section : resolved.sections) {
    const std::vector<Option> core = core_options(section.name);
    for (const Value& value : section.values) {
      if (value.raw) continue;
      if (const auto own = section.factory; own != nullptr && has(own->options, value.option.name)) {
        section.settings.emplace_back(value.option.name, value.value);
      }
      for (const Option& option : core) {
        OptionValue adopted = value.value;
        if (option.name == value.option.name && adopt_value(option, adopted).empty()) {
          set_core(resolved.core, section.name, option.name, adopted);
        }
      }
    }
  }
  for (const Source& source : sources_) {
    if (const Entry* entry = source.find("", "description")) resolved.description = entry->text.value;
  }
  resolved.notes = std::move(notes_);
}

}  // namespace qfw::recipe

#include "plugin/declarations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "qfw/error.h"
#include "recipe/sections.h"
#include "recipe/value.h"

namespace qfw {

namespace {

bool has(const std::vector<Option>& options, std::string_view name) {
  return std::ranges::find(options, name, &Option::name) != options.end();
}

bool can_be_a_key(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string wrong_limits(const Option& option) {
  const bool text = option.type == Option::Type::text;
  if (std::isnan(option.min) || std::isnan(option.max)) return "has a limit that is no number";
  if (option.min > option.max) return fmt::format("allows from {} to {}, which is nothing", option.min, option.max);
  if (!text && !option.choices.empty()) return "has choices, which only a text may have";
  if (!text && option.or_number) return "is or_number, which only a text may be";
  for (auto choice = option.choices.begin(); choice != option.choices.end(); ++choice) {
    if (choice->empty()) return "has an empty choice";
    if (std::find(option.choices.begin(), choice, *choice) != choice) return fmt::format("has the choice '{}' twice", *choice);
  }
  return {};
}

std::string wrong_default(const Option& option) {
  OptionValue value = option.default_value;
  const std::string wrong = recipe::adopt_value(option, value);
  return wrong.empty() ? wrong : fmt::format("has the default {}: {}", to_string(option.default_value), wrong);
}

/// `section.key`: the keys of a section that a plugin shares are known only when that plugin is.
std::string wrong_inheritance(const Option& option) {
  if (option.inherits.empty()) return {};
  const std::string section = option.inherits.substr(0, option.inherits.find('.'));
  const std::string key = section.size() < option.inherits.size() ? option.inherits.substr(section.size() + 1) : "";
  const auto& kinds = recipe::section_kinds();
  const auto kind = std::ranges::find_if(kinds, [&](const recipe::SectionKind& each) { return each.name == section; });
  if (kind == kinds.end() || !can_be_a_key(key) || (!kind->plugin && !has(recipe::core_options(section), key))) {
    return fmt::format("inherits '{}', which no recipe has", option.inherits);
  }
  return {};
}

/// What the core's keys say of data that are not at hand, a data set that makes its own may be told: both get the value.
bool states_a_fact(std::string_view kind, std::string_view name) {
  return kind == "dataset" && (name == "shape" || name == "classes" || name == "train_examples");
}

std::string wrong(const Option& option, const FactoryBase& factory, const std::vector<Option>& core) {
  if (!can_be_a_key(option.name)) return "has a name that cannot be a key: only letters, digits and _";
  if (option.name == "name" || (has(core, option.name) && !states_a_fact(factory.kind, option.name)))
    return fmt::format("is a key of the core's in [{}]", factory.kind);
  if (std::ranges::count(factory.options, option.name, &Option::name) > 1) return "is declared twice";
  if (option.doc.empty()) return "has no doc";
  if (!option.set) return "cannot be set: declare it by Declare";
  if (!option.replaces.empty() && (option.replaces == option.name || !has(factory.options, option.replaces))) {
    return fmt::format("replaces '{}', which is no other option of it", option.replaces);
  }
  for (const auto& check : {wrong_limits, wrong_default, wrong_inheritance}) {
    if (const std::string what = check(option); !what.empty()) return what;
  }
  return {};
}

}  // namespace

void check_declarations(const FactoryBase& factory) {
  const std::string plugin = factory.kind + ":" + factory.name;
  if (factory.name.empty() || factory.doc.empty()) {
    fail(Error::Category::plugin, "registry", fmt::format("{} has no {}", plugin, factory.name.empty() ? "name" : "doc"), {},
         "say in Registry::add what it is");
  }
  const std::vector<Option> core = recipe::core_options(factory.kind);
  for (const Option& option : factory.options) {
    if (const std::string what = wrong(option, factory, core); !what.empty()) {
      fail(Error::Category::plugin, "registry", fmt::format("option '{}' of {} {}", option.name, plugin, what), {},
           "mend its declaration (qfw/options.h)");
    }
  }
}

}  // namespace qfw

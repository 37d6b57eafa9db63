#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "layout.h"
#include "recipe/sections.h"
#include "util/nearest.h"
#include "verb.h"

namespace qfw {
namespace {

bool is_recipe_key(std::string_view name) {
  return name.find('.') != std::string_view::npos || std::ranges::find(recipe::top_keys, name) != recipe::top_keys.end();
}

[[noreturn]] void misused(const Verb& verb, const std::string& what, const std::string& remedy = {}) {
  const std::string help = fmt::format("`qfw {} --help` shows what there is", verb.name);
  fail(Error::Category::usage, "usage", what, {}, remedy.empty() ? help : remedy + " " + help);
}

void check_positional(const Verb& verb, const std::vector<std::string>& given) {
  if (given.size() < verb.min_positional) misused(verb, fmt::format("{} wants {}", verb.name, verb.positional));
  if (given.size() <= verb.max_positional) return;
  misused(verb, fmt::format("'{}' is one too many: {} takes {}", given[verb.max_positional], verb.name,
                            verb.positional.empty() ? "no such argument" : verb.positional));
}

/// An empty value is a shell's variable that was not set, and what `-` stands for elsewhere is the default here or is not
/// there.
void check_value(const Verb& verb, const Verb::Option& option, const std::string& value) {
  if (value.empty()) {
    misused(verb, fmt::format("--{} has an empty value: it wants --{}={}", option.name, option.name, option.value));
  }
  const bool is_path = option.value.starts_with("FILE") || option.value == "PATH";
  if (!is_path || value != "-") return;
  misused(verb, fmt::format("--{}=- names no file: standard output is not written to by it", option.name),
          fmt::format("Leave --{} out, or for a file of that name write ./-.", option.name));
}

/// Likewise. A dash alone stands for standard input or output elsewhere. A shell that completes a line passes on what it has.
void check_argument(const Verb& verb, const std::string& word) {
  if (word.empty() && !verb.hidden) {
    misused(verb, fmt::format("an argument is empty: {} {}", verb.name,
                              verb.positional.empty() ? "takes none" : "wants " + verb.positional));
  }
  if (word == "-")
    misused(verb, "'-' is no argument: there is no reading from or writing to a stream", "For a file of that name write ./-.");
}

}  // namespace

std::string Arguments::get(std::string_view name, std::string_view otherwise) const {
  const auto found = options.find(name);
  return found == options.end() ? std::string(otherwise) : found->second;
}

std::int64_t Arguments::number(std::string_view name, std::int64_t otherwise, std::int64_t min) const {
  const auto found = options.find(name);
  if (found == options.end()) return otherwise;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min) {
    fail(Error::Category::usage, "usage", fmt::format("--{} is a whole number of at least {}, not '{}'", name, min, text));
  }
  return value;
}

Arguments parse(const Verb& verb, const std::vector<std::string>& words) {
  Arguments arguments;
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_ended || !word.starts_with("-") || word == "-") {
      if (!options_ended) check_argument(verb, word);
      arguments.positional.push_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }
    if (!word.starts_with("--")) misused(verb, fmt::format("there is no option {}", word), "Options begin with two dashes.");

    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto option = std::find_if(verb.options.begin(), verb.options.end(), [&](const auto& it) { return it.name == name; });
    if (option != verb.options.end()) {
      if (option->value.empty()) {
        if (equals != std::string::npos) misused(verb, fmt::format("--{} takes no value", name));
        arguments.options[name] = {};
      } else if (option->may_stand_alone && equals == std::string::npos) {
        arguments.options[name] = {};
        continue;
      } else if (equals != std::string::npos) {
        arguments.options[name] = word.substr(equals + 1);
      } else if (i + 1 < words.size()) {
        arguments.options[name] = words[++i];
      } else {
        misused(verb, fmt::format("--{} wants a value: --{}={}", name, name, option->value));
      }
      if (!option->value.empty()) check_value(verb, *option, arguments.options[name]);
    } else if (verb.takes_overrides && is_recipe_key(name)) {
      if (name.ends_with('.')) {
        const std::string section = name.substr(0, name.size() - 1);
        misused(verb, fmt::format("--{} names no key", name), fmt::format("`qfw describe {}` lists them;", section));
      }
      if (equals == std::string::npos) misused(verb, fmt::format("{} wants a value: {}=VALUE", word, word));
      arguments.overrides.push_back(word.substr(2));
    } else if (verb.takes_others) {
      arguments.others.emplace_back(name, equals == std::string::npos ? "" : word.substr(equals + 1));
    } else {
      std::vector<std::string> known;
      for (const Verb::Option& each : verb.options) known.push_back(each.name);
      const std::string guess = nearest(name, known);
      misused(verb, fmt::format("there is no option --{}", name),
              guess.empty() ? guess : fmt::format("Did you mean --{}?", guess));
    }
  }
  check_positional(verb, arguments.positional);
  return arguments;
}

std::string help_of(const Verb& verb) {
  constexpr std::size_t names = 24, hanging = 4;
  const std::size_t width = output_width(unlimited);
  const std::string usage = fmt::format("Usage: qfw {}{}{} [OPTION]...{}", verb.name, verb.positional.empty() ? "" : " ",
                                        verb.positional, verb.takes_overrides ? " [--SECTION.KEY=VALUE]..." : "");
  std::string text = wrapped(usage, width, 0, hanging) + wrapped(verb.summary, width, 0);
  if (!verb.doc.empty()) text += "\n" + flowed(verb.doc, width);
  text += "\nOptions:\n";
  const auto line = [&](const std::string& option, std::string_view doc) { text += entry(option, names, doc, width); };
  for (const Verb::Option& option : verb.options) {
    const auto form = option.may_stand_alone ? "--{}[={}]" : "--{}={}";
    line(option.value.empty() ? "--" + option.name : fmt::format(fmt::runtime(form), option.name, option.value), option.doc);
  }
  if (verb.takes_overrides)
    line("--SECTION.KEY=VALUE", "set a key of the recipe, e.g. --train.batch_size=64 --backend.name=reference");
  line("--plugin-dir=DIR", "look for plugins in DIR first; may be repeated");
  line("--help", "this text");
  return text;
}

}  // namespace qfw

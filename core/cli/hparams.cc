#include "interchange/hparams.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "actions.h"
#include "io/json.h"
#include "layout.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "recipe/sections.h"
#include "recipe/source.h"
#include "run_source.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {

namespace {

void put(const Arguments& arguments, const std::string& text) {
  if (arguments.has("output")) {
    check_output(arguments.get("output"), OutputKind::any);
    write_text_atomically(arguments.get("output"), text);
    print_text(arguments.get("output") + "\n");
  } else {
    fmt::print("{}", text);
  }
}

std::string form_of(const Arguments& arguments, const Format& format, const char* option) {
  std::vector<std::string> names;
  for (const Format::Form& form : format.forms()) names.push_back(form.name);
  const std::string asked = arguments.get(option, names.empty() ? "" : names.front());
  if (std::ranges::find(names, asked) != names.end()) return asked;
  fail(Error::Category::usage, "hparams", fmt::format("there is no form '{}'", asked), {},
       fmt::format("forms are: {}", fmt::join(names, ", ")));
}

std::string printed(const Arguments& arguments, const Recipe& recipe, const Format& format, const char* option) {
  const Session session(recipe, Session::Data::optional);
  return json_in_utf8(format.from_recipe(format_run(session), form_of(arguments, format, option)));
}

/// The recipe that a foreign file alone makes, with what its format takes for granted.
Recipe recipe_of_file(const std::string& file, const Format& format, const std::string& name, const Arguments& arguments,
                      const Catalog& catalog) {
  std::vector<std::string> overrides = {"base_config_filename=" + recipe::quote(file, true), "base_config_format=" + name};
  for (const Format::Setting& setting : format.assumed()) {
    overrides.push_back(fmt::format("{}={}", recipe::full_name(setting.section, setting.key), recipe::quote(setting.value)));
  }
  overrides.insert(overrides.end(), arguments.overrides.begin(), arguments.overrides.end());
  LoadOptions options;
  options.dataset_optional = true;
  return Recipe::parse("", "hparams", overrides, catalog, options);
}

int print(const Arguments& arguments, const Format& format, const Catalog& catalog) {
  if (arguments.positional.size() != 2) fail(Error::Category::usage, "usage", "qfw hparams print wants a RECIPE");
  const Recipe recipe = load_recipe(arguments.positional[1], arguments.overrides, catalog, Session::Data::optional);
  put(arguments, printed(arguments, recipe, format, "form"));
  return 0;
}

int convert(const Arguments& arguments, const Format& format, const std::string& name, const Catalog& catalog) {
  if (arguments.positional.size() != 2) fail(Error::Category::usage, "usage", "qfw hparams convert wants a FILE");
  const Recipe recipe = recipe_of_file(arguments.positional[1], format, name, arguments, catalog);
  put(arguments, arguments.get("to") == "recipe" ? recipe.text() : printed(arguments, recipe, format, "to"));
  return 0;
}

int generate(const Arguments& arguments, const Format& format) {
  if (arguments.positional.size() != 1)
    fail(Error::Category::usage, "usage", fmt::format("'{}' is one too many", arguments.positional[1]));
  if (!arguments.overrides.empty()) fail(Error::Category::usage, "usage", "generate takes flags, no recipe keys");
  std::vector<std::pair<std::string, std::string>> flags;
  for (const auto& [flag, value] : arguments.others) {
    std::vector<std::string> known;
    for (const Format::Flag& each : format.flags()) known.push_back(each.name);
    if (std::ranges::find(known, flag) == known.end()) {
      const std::string guess = nearest(flag, known);
      fail(Error::Category::usage, "usage", fmt::format("there is no flag --{}", flag), {},
           guess.empty() ? "`qfw hparams generate --help` lists them" : fmt::format("did you mean --{}?", guess));
    }
    flags.emplace_back(flag, value);
  }
  put(arguments, json_in_utf8(format.generate(flags, form_of(arguments, format, "form"))));
  return 0;
}

std::string list_of_flags(const Format& format) {
  std::string text;
  for (const Format::Flag& flag : format.flags())
    text += entry(fmt::format("--{}={}", flag.name, flag.value), 38, flag.doc, output_width(unlimited));
  return text;
}

/// The flags of generate, which are the format's.
std::string more_help(const std::vector<std::string>& words, const Catalog& catalog) {
  if (std::ranges::find(words, "generate") == words.end()) return {};
  std::string name = recipe::default_format;
  for (const std::string& word : words) {
    if (word.starts_with("--format=")) name = word.substr(word.find('=') + 1);
  }
  const auto format = catalog.get<Format>(name).make({});
  return fmt::format("\nFlags of generate (format {}):\n{}", name, list_of_flags(*format));
}

int run(const Arguments& arguments, const Catalog& catalog) {
  static const Action actions[] = {{"print", {"format", "form", "output"}},
                                   {"convert", {"format", "to", "output"}},
                                   {"generate", {"format", "form", "output"}},
                                   {"flags", {"format"}}};
  const std::string& action = chosen_action("hparams", arguments, actions);
  const std::string name = arguments.get("format", recipe::default_format);
  const auto format = catalog.get<Format>(name).make({});
  if (action != "generate" && !arguments.others.empty()) {
    fail(Error::Category::usage, "usage", fmt::format("there is no option --{}", arguments.others.front().first), {},
         "`qfw hparams --help` shows what there is");
  }
  if (action == "print") return print(arguments, *format, catalog);
  if (action == "convert") return convert(arguments, *format, name, catalog);
  if (action == "generate") return generate(arguments, *format);
  print_text(list_of_flags(*format));
  return 0;
}

}  // namespace

Verb hparams_verb() {
  Verb verb;
  verb.name = "hparams";
  verb.positional = "print|convert|generate|flags [RECIPE|FILE]";
  verb.min_positional = 1;
  verb.max_positional = 2;
  verb.summary = "another system's hyperparameters: print, convert, generate";
  verb.doc =
      "print RECIPE      a recipe as hyperparameters\n"
      "convert FILE      from one form to another (--to=FORM), or to a recipe (--to=recipe)\n"
      "generate FLAGS    from flags\n"
      "flags             lists the flags of generate, as `qfw hparams generate --help` does\n"
      "A recipe reads such a file with base_config_filename.";
  verb.takes_overrides = true;
  verb.takes_others = true;
  verb.options = {{"format", "NAME", fmt::format("whose hyperparameters: a format plugin ({})", recipe::default_format)},
                  {"form", "NAME", "print, generate: one of the format's forms (the first)"},
                  {"to", "NAME", "convert: one of the format's forms (the first), or recipe"},
                  {"output", "FILE", "write there instead of printing"}};
  verb.run = run;
  verb.more_help = more_help;
  return verb;
}

}  // namespace qfw

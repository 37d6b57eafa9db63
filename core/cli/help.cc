#include "help.h"

#include <fmt/format.h>

#include "layout.h"
#include "qfw/error.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {
namespace {

/// Whether the first word behind the verb is one of several, and this one of them: `print|convert [FILE]`.
bool has_action(const Verb& verb, std::string_view word) {
  const std::string actions = "|" + verb.positional.substr(0, verb.positional.find(' ')) + "|";
  return actions.find(fmt::format("|{}|", word)) != std::string::npos;
}

int run(const Arguments& arguments, const Catalog& catalog) {
  if (arguments.positional.empty()) {
    print_text(general_help());
    return 0;
  }
  const Verb& verb = verb_called(arguments.positional[0]);
  if (arguments.positional.size() > 1 && !has_action(verb, arguments.positional[1])) {
    fail(Error::Category::usage, "usage",
         fmt::format("'{}' is one too many: there is help for {}, and for nothing in it", arguments.positional[1], verb.name));
  }
  print_text(help_of(verb));
  if (verb.more_help) print_text(verb.more_help({arguments.positional.begin() + 1, arguments.positional.end()}, catalog));
  return 0;
}

}  // namespace

std::string general_help() {
  constexpr std::size_t verb_names = 12, option_names = 18;
  const std::size_t width = output_width(unlimited);
  std::string text = wrapped("Usage: qfw VERB [ARGUMENT]... [OPTION]...", width, 0, 4) +
                     wrapped("Trains and evaluates quantized networks; a recipe says which and how.", width, 0) + "\nVerbs:\n";
  for (const Verb& verb : verbs()) {
    if (!verb.hidden) text += entry(verb.name, verb_names, verb.summary, width);
  }
  text += "\nOptions:\n";
  text += entry("--plugin-dir=DIR", option_names, "look for plugins in DIR first; may be repeated", width);
  text += entry("--help", option_names, "this text; after a verb, what the verb takes", width);
  text += entry("--version", option_names, "the program's version", width);
  return text + "\n" + wrapped("Exit status: 0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted.", width, 0);
}

const Verb& verb_called(const std::string& name) {
  std::vector<std::string> known;
  for (const Verb& verb : verbs()) {
    if (verb.name == name) return verb;
    if (!verb.hidden) known.push_back(verb.name);
  }
  const std::string guess = did_you_mean(name, known);
  fail(Error::Category::usage, "usage", fmt::format("there is no verb '{}'", name), {},
       guess.empty() ? "`qfw --help` lists them" : guess + " `qfw --help` lists them");
}

Verb help_verb() {
  return {.name = "help",
          .positional = "[VERB [ACTION]]",
          .max_positional = 2,
          .summary = "what a verb takes, as VERB --help",
          .run = run};
}

}  // namespace qfw

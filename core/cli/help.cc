#include "help.h"

#include <fmt/format.h>

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
    fmt::print("{}", general_help());
    return 0;
  }
  const Verb& verb = verb_called(arguments.positional[0]);
  if (arguments.positional.size() > 1 && !has_action(verb, arguments.positional[1])) {
    fail(Error::Category::usage, "usage",
         fmt::format("'{}' is one too many: there is help for {}, and for nothing in it", arguments.positional[1], verb.name));
  }
  fmt::print("{}", help_of(verb));
  if (verb.more_help) {
    fmt::print("{}", verb.more_help({arguments.positional.begin() + 1, arguments.positional.end()}, catalog));
  }
  return 0;
}

}  // namespace

std::string general_help() {
  std::string text =
      "Usage: qfw VERB [ARGUMENT]... [OPTION]...\nTrains and evaluates quantized networks; a recipe says which and "
      "how.\n\nVerbs:\n";
  for (const Verb& verb : verbs()) {
    if (!verb.hidden) text += fmt::format("  {:<12} {}\n", verb.name, verb.summary);
  }
  text +=
      "\nOptions:\n"
      "  --plugin-dir=DIR   look for plugins in DIR first; may be repeated\n"
      "  --help             this text; after a verb, what the verb takes\n"
      "  --version          the program's version\n"
      "\nExit status: 0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted.\n";
  return text;
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

#include "actions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "qfw/error.h"
#include "util/nearest.h"

namespace qfw {

const std::string& chosen_action(std::string_view verb, const Arguments& arguments, std::span<const Action> actions) {
  const std::string& word = arguments.positional.at(0);
  const auto action = std::ranges::find(actions, word, &Action::name);
  if (action == actions.end()) {
    std::vector<std::string> names;
    for (const Action& each : actions) names.push_back(each.name);
    const std::string guess = did_you_mean(word, names);
    fail(Error::Category::usage, "usage", fmt::format("there is no `qfw {} {}`", verb, word), {},
         guess.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : guess);
  }
  for (const auto& [option, value] : arguments.options) {
    if (std::ranges::find(action->options, option) != action->options.end()) continue;
    fail(Error::Category::usage, "usage", fmt::format("--{} means nothing to `qfw {} {}`", option, verb, word), {},
         fmt::format("it takes --{}", fmt::join(action->options, ", --")));
  }
  return word;
}

}  // namespace qfw

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verb.h"

namespace qfw {

/// One of the things that a verb with several does, and the options of the verb that have a meaning for it.
struct Action {
  std::string name;
  std::vector<std::string> options;
};

/// The action that the first positional argument names. Throws Error::Category::usage for another word, and for an option that
/// the action would not heed.
const std::string& chosen_action(std::string_view verb, const Arguments& arguments, std::span<const Action> actions);

}  // namespace qfw

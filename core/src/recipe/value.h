#pragma once

#include <string>

#include "qfw/options.h"
#include "recipe/source.h"

namespace qfw::recipe {

/// Reads a value as `option` declares it. Returns what is wrong, or nothing.
std::string read_value(const Option& option, const Text& text, OptionValue& value);

/// Checks a value that came from elsewhere (inherited), and makes an integer of a whole number or the reverse.
std::string adopt_value(const Option& option, OptionValue& value);

/// As a recipe writes it, so that read_value gives the same back.
std::string write_value(const Option& option, const OptionValue& value);

}  // namespace qfw::recipe

#pragma once

#include <string>

#include "qfw/options.h"
#include "recipe/source.h"

namespace qfw::recipe {

/// Whether an unquoted `none` leaves the option's value out: of one that may be none, and of a text or list without choices
/// that says nothing unless it is set, as its default is empty.
bool takes_none(const Option& option);

/// Whether a text leaves out what only ever is a name.
inline bool is_left_out(const Text& text) { return text.value.empty() || (text.value == "none" && !text.quoted); }

/// Reads a value as `option` declares it. Returns what is wrong, or nothing.
std::string read_value(const Option& option, const Text& text, OptionValue& value);

/// Checks a value that came from elsewhere (inherited), and makes an integer of a whole number or the reverse.
std::string adopt_value(const Option& option, OptionValue& value);

/// As a recipe writes it, so that read_value gives the same back.
std::string write_value(const Option& option, const OptionValue& value);

}  // namespace qfw::recipe

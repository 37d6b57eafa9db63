#pragma once

#include <span>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// Of `known`, what `asked` was probably meant to be: the fewest insertions, deletions, replacements and swaps of neighbours
/// away, case apart, the earlier of equals. Empty if nothing is within a third of the longer word (at least two edits).
QFW_API std::string nearest(std::string_view asked, std::span<const std::string> known);

/// "; did you mean NAME?" without the semicolon, or nothing: for the remedy of an error.
QFW_API std::string did_you_mean(std::string_view asked, std::span<const std::string> known);

/// Equal but for the case of ASCII letters, as names of plugins are.
QFW_API bool same_name(std::string_view a, std::string_view b);

}  // namespace qfw

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace qfw {

/// Columns that standard output has: the terminal's, or 100 where it is none.
std::size_t output_width();

/// Text in lines of at most `width` columns, each behind `indent` blanks and ended; a longer word has a line of its own. Breaks
/// in the text stay.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

/// At most so many columns of a text, `...` in place of the rest.
std::string shortened(std::string_view text, std::size_t width);

}  // namespace qfw

#pragma once

#include <string>
#include <string_view>

namespace qfw {

/// The character of UTF-8 that a text begins with.
struct Character {
  std::string_view bytes;
  bool valid = false;    ///< else `bytes` is one byte that is no UTF-8
  bool control = false;  ///< below U+0020, or U+007F to U+009F
};
Character first_character(std::string_view text);

/// What a printable text takes of a terminal's line: characters of East Asia and most pictures take two columns, accents that
/// join the character before them none.
std::size_t columns_of(std::string_view text);

/// For terminals and logs, whatever bytes a name holds: control characters, but for those of `kept`, and bytes that are no
/// UTF-8 as
/// `\x1b`. Everything else, backslashes too, stays as it is.
std::string printable(std::string_view text, std::string_view kept = {});

inline constexpr std::string_view line_breaks = "\n\t";  ///< kept in whole messages

}  // namespace qfw

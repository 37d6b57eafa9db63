#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// "line 3, column 14": where byte `offset` of a text stands, counted from 1, for messages.
QFW_API std::string line_and_column(std::string_view text, std::size_t offset);

/// The text with each byte that is no UTF-8, which names of files may hold, as the text `\xe4`.
QFW_API std::string in_utf8(std::string_view text);

/// The decimal integer that is all behind `word`: 3 of "stage3" behind "stage". Empty for any other text, and for a number that
/// no int holds.
QFW_API std::optional<int> number_after(std::string_view text, std::string_view word);

}  // namespace qfw

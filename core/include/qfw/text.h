#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// "line 3, column 14": where byte `offset` of a text stands, counted from 1, for messages.
QFW_API std::string line_and_column(std::string_view text, std::size_t offset);

/// The text with each byte that is no UTF-8, which names of files may hold, as the text `\xe4`.
QFW_API std::string in_utf8(std::string_view text);

}  // namespace qfw

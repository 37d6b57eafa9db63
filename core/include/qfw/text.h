#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// "line 3, column 14": where byte `offset` of a text stands, counted from 1, for messages.
QFW_API std::string line_and_column(std::string_view text, std::size_t offset);

}  // namespace qfw

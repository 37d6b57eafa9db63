#pragma once

#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// Throws Error::Category::interrupted once the user asked the program to stop (Ctrl-C): for loops that take seconds, plugins'
/// too. Nothing is written then that was not finished. Any thread.
QFW_API void stop_if_interrupted(std::string_view tag);

}  // namespace qfw

#pragma once

#include <string>

#include "qfw/error.h"

namespace qfw {

/// The error, with the place of the example it is about where it does not tell that yet.
Error with_place(const Error& error, const std::string& place);

}  // namespace qfw

#pragma once

#include <string>

#include "verb.h"

namespace qfw {

/// What `qfw --help` prints.
std::string general_help();

/// Throws Error::Category::usage, with the nearest name, if there is no such verb.
const Verb& verb_called(const std::string& name);

}  // namespace qfw

#pragma once

#include "qfw/registry.h"

namespace qfw {

/// Throws Error::Category::plugin, naming plugin and option, for options that no recipe could set, that belong to the core, or
/// whose default is not among what they allow.
void check_declarations(const FactoryBase& factory);

}  // namespace qfw

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "qfw/registry.h"

namespace qfw {

/// Of recipe keys on a command line, those of a plugin that is no section of recipes (`writer.KEY=VALUE`): taken out of
/// `overrides`, without the kind.
std::vector<std::string> take_plugin_options(std::vector<std::string>& overrides, std::string_view kind);

/// `KEY=VALUE` as settings of what a factory makes. Throws Error::Category::usage for an option that it has not, or a value
/// that the option does not allow.
Settings plugin_settings(const FactoryBase& factory, const std::vector<std::string>& given);

}  // namespace qfw

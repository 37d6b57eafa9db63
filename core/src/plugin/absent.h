#pragma once

#include <span>
#include <string>
#include <string_view>

namespace qfw {

/// What to say where somebody asks for a backend that is not there by a name of which one knows what is meant (`cuda`,
/// `mkldnn`): what is missing, and what there is. Empty for any other name. `known` are the backends there are.
std::string about_absent_backend(std::string_view name, std::span<const std::string> known);

}  // namespace qfw

#pragma once

#include <string_view>

namespace qfw {

/// Whether a layer's path matches: `*` stands for anything within a component, `**` for anything across components.
/// `**/conv_1` matches at the top, too.
bool glob_match(std::string_view pattern, std::string_view path);

}  // namespace qfw

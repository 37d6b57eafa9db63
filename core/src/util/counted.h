#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace qfw {

/// "1 step", "7 steps", "0 steps". `several` where the plural is not the word with an s: "1 class", "2 classes".
template <std::integral Number>
std::string counted(Number number, std::string_view one, std::string_view several = {}) {
  if (number == 1) return fmt::format("{} {}", number, one);
  return several.empty() ? fmt::format("{} {}s", number, one) : fmt::format("{} {}", number, several);
}

}  // namespace qfw

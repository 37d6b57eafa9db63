#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The cells of a line of comma-separated values, as RFC 4180 writes them, without line breaks within a cell.
namespace qfw {

/// As it stands in a line: in quotes where it needs them; control characters as printable() shows them.
std::string cell_of(std::string_view text);
/// None for a line whose quotes do not pair.
std::optional<std::vector<std::string>> cells_of(std::string_view line);

/// The whole text as a number.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace qfw

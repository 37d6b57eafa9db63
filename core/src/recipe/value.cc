#include "recipe/value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "util/nearest.h"
#include "util/text.h"

namespace qfw::recipe {
namespace {

template <class T>
std::string parse_number(std::string_view text, T& number) {
  constexpr const char* wanted = std::is_integral_v<T> ? "an integer" : "a number";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return fmt::format("'{}' is beyond what {} can hold", shown(text), wanted);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return fmt::format("'{}' is not {}", shown(text), wanted);
  if (!std::isfinite(static_cast<double>(number))) return fmt::format("'{}' is not a finite number", text);
  return {};
}

std::string check_range(const Option& option, double number, const OptionValue& value) {
  if (number < option.min)
    return fmt::format("{} is too small, must be at least {}", to_string(value), to_string(OptionValue(option.min)));
  if (number <= option.above)
    return fmt::format("{} is too small, must be above {}", to_string(value), to_string(OptionValue(option.above)));
  if (number > option.max)
    return fmt::format("{} is too large, must be at most {}", to_string(value), to_string(OptionValue(option.max)));
  return {};
}

template <class T>
std::string parse_checked(const Option& option, std::string_view text, T& number) {
  if (std::string wrong = parse_number(text, number); !wrong.empty()) return wrong;
  return check_range(option, static_cast<double>(number), OptionValue(number));
}

template <class T>
std::string parse_list(const Option& option, std::string_view text, std::vector<T>& list) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (std::string wrong = parse_checked(option, item, list.emplace_back()); !wrong.empty()) {
      return wrong + "; write a list of " + (std::is_integral_v<T> ? "integers" : "numbers") + " as 1,2,3";
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return "the list ends with a comma";
  }
  return {};
}

bool is_choice(const Option& option, std::string_view text) {
  for (const std::string& choice : option.choices) {
    if (choice == text) return true;
  }
  return false;
}

bool is_empty(const OptionValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* integers = std::get_if<std::vector<std::int64_t>>(&value);
  const auto* numbers = std::get_if<std::vector<double>>(&value);
  return (text != nullptr && text->empty()) || (integers != nullptr && integers->empty()) ||
         (numbers != nullptr && numbers->empty());
}

/// A number in the place of a text that may be one, in its shortest form.
std::optional<std::string> as_number(const Option& option, const Text& text) {
  double number = 0;
  if (!option.or_number || text.quoted || !parse_number(text.value, number).empty()) return std::nullopt;
  return to_string(OptionValue(number));
}

std::string read_text(const Option& option, const Text& text, OptionValue& value) {
  if (is_choice(option, text.value)) {
    value = text.value;
    return {};
  }
  if (const auto number = as_number(option, text)) {
    value = *number;
    double checked = 0;
    return parse_checked(option, *number, checked);
  }
  for (const std::string& choice : option.choices) {
    if (same_name(choice, text.value)) {  // the original writes capitals
      value = choice;
      return {};
    }
  }
  if (!option.choices.empty()) {
    const std::string near = nearest(text.value, option.choices);
    return fmt::format("'{}' is not one of {}{}{}", shown(text.value), fmt::join(option.choices, ", "),
                       option.or_number ? " or a number" : "", near.empty() ? "" : "; nearest valid name: " + near);
  }
  value = text.value;
  return {};
}

}  // namespace

bool takes_none(const Option& option) {
  if (option.nullable) return !is_choice(option, "none");
  return option.choices.empty() && !option.or_number && is_empty(option.default_value);
}

std::string read_value(const Option& option, const Text& text, OptionValue& value) {
  const bool none = text.value == "none" && !text.quoted;
  if (none && takes_none(option)) {
    value = option.nullable ? OptionValue() : option.default_value;
    return {};
  }
  if (none && option.type != Option::Type::text) return "may not be none";
  switch (option.type) {
    case Option::Type::boolean:
      if (!same_name(text.value, "true") && !same_name(text.value, "false")) {
        return fmt::format("'{}' is neither true nor false", shown(text.value));
      }
      value = same_name(text.value, "true");
      return {};
    case Option::Type::integer:
      return parse_checked(option, text.value, value.emplace<std::int64_t>());
    case Option::Type::number:
      return parse_checked(option, text.value, value.emplace<double>());
    case Option::Type::integers:
      return parse_list(option, text.value, value.emplace<std::vector<std::int64_t>>());
    case Option::Type::numbers:
      return parse_list(option, text.value, value.emplace<std::vector<double>>());
    case Option::Type::text:
      return read_text(option, text, value);
  }
  return "has no known type";
}

std::string adopt_value(const Option& option, OptionValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return option.nullable ? "" : "may not be none";
  if (option.type == Option::Type::number && std::holds_alternative<std::int64_t>(value)) {
    value = static_cast<double>(std::get<std::int64_t>(value));
  }
  if (option.type == Option::Type::integer && std::holds_alternative<double>(value)) {
    const double number = std::get<double>(value);
    if (number != std::floor(number) || std::abs(number) > 9e15) return fmt::format("{} is not an integer", to_string(value));
    value = static_cast<std::int64_t>(number);
  }
  if (value.index() != static_cast<std::size_t>(option.type)) return "has another type";
  return read_value(option, {to_string(value), option.type == Option::Type::text && !option.or_number}, value);
}

std::string write_value(const Option& option, const OptionValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    const std::string plain = to_string(value);
    return plain.empty() ? "\"\"" : plain;  // a list of nothing
  }
  const bool taken_for_none = *text == "none" && takes_none(option);
  return quote(*text, taken_for_none);
}

}  // namespace qfw::recipe

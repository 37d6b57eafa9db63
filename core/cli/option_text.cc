#include "option_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "io/printable.h"
#include "layout.h"
#include "recipe/value.h"

namespace qfw {
namespace {

constexpr std::array type_names = {"none", "boolean", "integer", "number", "text", "integers", "numbers"};

std::string with_alternatives(const Option& option, std::string type) {
  if (option.or_number) type += " or number";
  if (recipe::takes_none(option)) type += " or none";
  return type;
}

std::string range_of(const Option& option) {
  // Limits that are only those of a 32 or 64-bit integer say nothing.
  const bool low = std::isfinite(option.min) && option.min > -2147483648.0,
             high = std::isfinite(option.max) && option.max < 2147483647.0;
  if (std::isfinite(option.above)) return "> " + to_string(option.above) + (high ? ", <= " + to_string(option.max) : "");
  if (low && high) return to_string(option.min) + " .. " + to_string(option.max);
  if (low) return ">= " + to_string(option.min);
  return high ? "<= " + to_string(option.max) : "";
}

}  // namespace

std::string type_of(const Option& option) {
  const bool boolean = option.type == Option::Type::boolean;
  return with_alternatives(option, boolean ? "true|false" : type_names.at(static_cast<std::size_t>(option.type)));
}

std::string allowed_of(const Option& option) {
  if (option.type == Option::Type::boolean) return "true | false";
  std::string text;
  for (const std::string& choice : option.choices) text += (text.empty() ? "" : " | ") + choice;
  const std::string range = range_of(option);
  return text + (text.empty() || range.empty() ? "" : " | ") + range;
}

std::string default_of(const Option& option) {
  return option.inherits.empty() ? to_string(option.default_value) : "as " + option.inherits;
}

boost::json::value json_of(const OptionValue& value) {
  struct Writer {
    boost::json::value operator()(std::monostate) const { return nullptr; }
    boost::json::value operator()(bool flag) const { return flag; }
    boost::json::value operator()(std::int64_t number) const { return number; }
    boost::json::value operator()(double number) const { return number; }
    boost::json::value operator()(const std::string& text) const { return boost::json::string(text); }
    boost::json::value operator()(const std::vector<std::int64_t>& list) const {
      return boost::json::array(list.begin(), list.end());
    }
    boost::json::value operator()(const std::vector<double>& list) const {
      return boost::json::array(list.begin(), list.end());
    }
  };
  return std::visit(Writer{}, value);
}

boost::json::object json_of(const Option& option) {
  const std::string type = with_alternatives(option, type_names.at(static_cast<std::size_t>(option.type)));
  boost::json::object item{{"name", option.name}, {"type", type}, {"default", json_of(option.default_value)}};
  if (std::isfinite(option.min)) item["min"] = option.min;
  if (std::isfinite(option.above)) item["above"] = option.above;
  if (std::isfinite(option.max)) item["max"] = option.max;
  if (!option.choices.empty()) item["choices"] = boost::json::array(option.choices.begin(), option.choices.end());
  if (!option.inherits.empty()) item["inherits"] = option.inherits;
  if (!option.replaces.empty()) item["replaces"] = option.replaces;
  if (option.unused) item["unused"] = true;
  item["doc"] = option.doc;
  return item;
}

boost::json::array json_of(std::span<const Option> options) {
  boost::json::array list;
  for (const Option& option : options) list.push_back(json_of(option));
  return list;
}

namespace {

constexpr std::size_t gap = 2, meaning_indent = 4, least_allowed = 16;

/// Where the table's columns have no room.
std::string in_lines(const Option& option, std::size_t width) {
  const std::string by_default = default_of(option), allowed = allowed_of(option);
  const auto line = [&](const std::string& text) { return wrapped(printable(text, line_breaks), width, meaning_indent); };
  std::string text = wrapped(printable(option.name), width, 0);
  text += line(type_of(option) + (by_default.empty() ? "" : ", default " + by_default));
  if (!allowed.empty() && option.type != Option::Type::boolean) text += line("allowed " + allowed);
  return text + line(option.doc);
}

}  // namespace

std::string table_of(std::span<const Option> options, const std::string& heading, std::size_t width) {
  std::vector<std::array<std::string, 4>> rows = {{heading, "TYPE", "DEFAULT", "ALLOWED"}};
  for (const Option& option : options)
    rows.push_back({printable(option.name), type_of(option), printable(default_of(option)), printable(allowed_of(option))});
  std::array<std::size_t, 3> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::size_t wide = columns_of(row[i]);
      if (wide + meaning_indent < width / (i == 0 ? 2 : 3))
        widths[i] = std::max(widths[i], wide);  // the few longest may stick out
    }
  }
  const auto begin_of = [&](const auto& row) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) line += fmt::format("{:<{}}{:{}}", row[i], widths[i], "", gap);
    return line;
  };
  std::string text;
  if (std::ranges::any_of(rows, [&](const auto& row) { return columns_of(begin_of(row)) > width + gap; })) {
    for (const Option& option : options) text += in_lines(option, width);
    return text;
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line = begin_of(rows[r]);
    const std::string& allowed = rows[r][3];
    const std::size_t used = columns_of(line);
    if (used + columns_of(allowed) <= width) {
      line += allowed;
    } else if (used + least_allowed <= width) {
      line += wrapped(allowed, width, used).substr(used);
    } else {
      line.erase(line.find_last_not_of(' ') + 1);
      line += "\n" + wrapped(allowed, width, 2 * meaning_indent);
    }
    line.erase(line.find_last_not_of(" \n") + 1);
    text += line + "\n";
    if (r > 0) text += wrapped(printable(options[r - 1].doc, line_breaks), width, meaning_indent);
  }
  return text;
}

}  // namespace qfw

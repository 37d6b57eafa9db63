#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "io/json.h"
#include "io/printable.h"
#include "verbs.h"

namespace qfw {
namespace {

std::string type_of(const Option& option) {
  static constexpr std::array names = {"none", "boolean", "integer", "number", "text", "integers", "numbers"};
  std::string text = names[static_cast<std::size_t>(option.type)];
  if (option.or_number) text += " or number";
  if (option.nullable) text += " or none";
  return text;
}

/// `1 .. 8`, `>= 0`, `> 0, <= 1`, `a | b`, or nothing where anything goes.
std::string allowed_of(const Option& option) {
  std::string text;
  for (const std::string& choice : option.choices) text += (text.empty() ? "" : " | ") + choice;
  // Limits that are only those of a 32 or 64-bit integer say nothing.
  const bool low = std::isfinite(option.min) && option.min > -2147483648.0,
             high = std::isfinite(option.max) && option.max < 2147483647.0;
  std::string range;
  if (std::isfinite(option.above)) {
    range = "> " + to_string(option.above) + (high ? ", <= " + to_string(option.max) : "");
  } else if (low && high) {
    range = to_string(option.min) + " .. " + to_string(option.max);
  } else if (low) {
    range = ">= " + to_string(option.min);
  } else if (high) {
    range = "<= " + to_string(option.max);
  }
  if (!text.empty() && !range.empty()) text += " | ";
  return text + range;
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

void print_json(const FactoryBase& factory) {
  boost::json::array options;
  for (const Option& option : factory.options) {
    boost::json::object item{{"name", option.name}, {"type", type_of(option)}, {"default", json_of(option.default_value)}};
    if (std::isfinite(option.min)) item["min"] = option.min;
    if (std::isfinite(option.above)) item["above"] = option.above;
    if (std::isfinite(option.max)) item["max"] = option.max;
    if (!option.choices.empty()) item["choices"] = boost::json::array(option.choices.begin(), option.choices.end());
    if (!option.inherits.empty()) item["inherits"] = option.inherits;
    item["doc"] = option.doc;
    options.push_back(std::move(item));
  }
  fmt::print("{}", json_pretty(boost::json::object{
                       {"kind", factory.kind}, {"name", factory.name}, {"doc", factory.doc}, {"options", std::move(options)}}));
}

void print_text(const FactoryBase& factory) {
  fmt::print("{} {}: {}\n", factory.kind, printable(factory.name), printable(factory.doc, line_breaks));
  if (factory.options.empty()) {
    fmt::print("\nIt has no options.\n");
    return;
  }
  std::vector<std::array<std::string, 5>> rows = {{"OPTION", "TYPE", "DEFAULT", "ALLOWED", "MEANING"}};
  for (const Option& option : factory.options) {
    const std::string by_default = option.inherits.empty() ? to_string(option.default_value) : "as " + option.inherits;
    rows.push_back({option.name, type_of(option), by_default, allowed_of(option), option.doc});
  }
  std::array<std::size_t, 5> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  fmt::print("\n");
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", printable(line + row.back(), line_breaks));
  }
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const FactoryBase& factory = catalog.find(arguments.positional[0], arguments.positional[1]);
  arguments.has("json") ? print_json(factory) : print_text(factory);
  return 0;
}

}  // namespace

Verb describe_verb() {
  return {.name = "describe",
          .positional = "KIND NAME",
          .min_positional = 2,
          .max_positional = 2,
          .summary = "what a plugin does and the options it has",
          .options = {{.name = "json", .value = "", .doc = "print JSON"}},
          .run = run};
}

}  // namespace qfw

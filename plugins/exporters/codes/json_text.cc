#include "json_text.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>

#include "qfw/text.h"

namespace qfw::codes {

namespace {

namespace json = boost::json;

constexpr std::size_t line_length = 120;

std::string on_one_line(const json::value& value) {
  std::string text;
  const auto all = [&](const auto& items, char open, char close, auto print) {
    text += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) text += ", ";
      first = false;
      print(item);
    }
    text += close;
  };
  if (const auto* object = value.if_object()) {
    all(*object, '{', '}',
        [&](const auto& pair) { text += json::serialize(json::value(pair.key())) + ": " + on_one_line(pair.value()); });
  } else if (const auto* array = value.if_array()) {
    all(*array, '[', ']', [&](const json::value& item) { text += on_one_line(item); });
  } else if (const auto* number = value.if_double()) {
    text = fmt::format("{}", *number);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
  } else {
    text = json::serialize(value);
  }
  return text;
}

void print(const json::value& value, std::size_t indent, std::string& text) {
  const std::string line = on_one_line(value);
  const bool empty_or_plain = !value.is_structured() || line.size() == 2;
  if (empty_or_plain || indent + line.size() <= line_length) {
    text += line;
    return;
  }
  const std::string inner = "\n" + std::string(indent + 2, ' ');
  bool first = true;
  const auto next = [&] {
    if (!first) text += ',';
    first = false;
    text += inner;
  };
  text += value.is_object() ? '{' : '[';
  if (const auto* object = value.if_object()) {
    for (const auto& pair : *object) {
      next();
      text += json::serialize(json::value(pair.key())) + ": ";
      print(pair.value(), indent + 2, text);
    }
  } else {
    for (const json::value& item : value.get_array()) {
      next();
      print(item, indent + 2, text);
    }
  }
  text += "\n" + std::string(indent, ' ') + (value.is_object() ? '}' : ']');
}

}  // namespace

json::value json_number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

json::value json_string(std::string_view text) { return json::value(in_utf8(text)); }

std::string json_text(const json::value& value) {
  std::string text;
  print(value, 0, text);
  return text + "\n";
}

}  // namespace qfw::codes

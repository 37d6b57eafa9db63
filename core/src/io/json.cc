#include "io/json.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <cmath>
#include <set>

#include "io/printable.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"
#include "util/text.h"

namespace qfw {
namespace {

namespace json = boost::json;

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // stays a double when read back
  return text;
}

/// Within a string of JSON.
std::string text_of_byte(char byte) { return fmt::format("\\\\x{:02x}", static_cast<unsigned char>(byte)); }

/// JSON is UTF-8: other bytes, which names of files may hold, become the text `\xe4`. Control characters become \u escapes,
/// so that none reaches a terminal.
std::string json_text(std::string_view text) {
  constexpr std::string_view escaped = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
  std::string result = "\"";
  while (!text.empty()) {
    const Character next = first_character(text);
    text.remove_prefix(next.bytes.size());
    if (const std::size_t letter = escaped.find(next.bytes.front()); letter != std::string_view::npos) {
      result.append(1, '\\').append(1, letters[letter]);
    } else if (!next.valid) {
      result += text_of_byte(next.bytes.front());
    } else if (next.control) {  // the last byte is the number of those that have two
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(next.bytes.back()));
    } else {
      result += next.bytes;
    }
  }
  return result += '"';
}

class Printer {
 public:
  explicit Printer(bool pretty) : pretty_(pretty) {}

  void print(const json::value& value, int depth) {
    switch (value.kind()) {
      case json::kind::object:
        return print(value.get_object(), depth);
      case json::kind::array:
        return all(value.get_array(), '[', ']', depth, [&](const auto& item) { print(item, depth + 1); });
      case json::kind::string:
        text += json_text(value.get_string());
        return;
      case json::kind::double_:
        text += number(value.get_double());
        return;
      default:
        text += json::serialize(value);
    }
  }

  std::string text;

 private:
  void print(const json::object& object, int depth) {
    std::set<std::string> keys;
    all(object, '{', '}', depth, [&](const auto& pair) {
      std::string name(pair.key()), key = json_text(name);
      while (!keys.insert(key).second)
        key = json_text(name += '_');  // bytes and the text that stands for them stay two entries
      text += key + (pretty_ ? ": " : ":");
      print(pair.value(), depth + 1);
    });
  }

  template <class Items, class Print>
  void all(const Items& items, char open, char close, int depth, Print print) {
    text += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) text += ',';
      first = false;
      line(depth + 1);
      print(item);
    }
    if (!items.empty()) line(depth);
    text += close;
  }

  void line(int depth) {
    if (pretty_) text.append("\n").append(static_cast<std::size_t>(2 * depth), ' ');
  }

  bool pretty_;
};

std::string printed(const json::value& value, bool pretty) {
  Printer printer(pretty);
  printer.print(value, 0);
  return std::move(printer.text);
}

}  // namespace

std::string json_pretty(const json::value& value) { return printed(value, true) + "\n"; }
std::string json_line(const json::value& value) { return printed(value, false); }

std::string json_in_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character next = first_character(text);
    text.remove_prefix(next.bytes.size());
    result += next.valid ? std::string(next.bytes) : text_of_byte(next.bytes.front());
  }
  return result;
}

void write_json(const std::filesystem::path& path, const json::value& value) {
  write_text_atomically(path, json_pretty(value));
}

json::value json_of(std::string_view text, std::string& fault) {
  fault = text.find_first_not_of(" \t\r\n") == std::string_view::npos ? "it is empty" : encoding_fault(text);
  if (!fault.empty()) return nullptr;
  boost::system::error_code error;
  json::stream_parser parser;
  const std::size_t read = parser.write(text.data(), text.size(), error);
  if (error) {
    fault = fmt::format("it is no valid JSON from {} on", line_and_column(text, read));
    return nullptr;
  }
  parser.finish(error);
  if (!error) return parser.release();
  fault = "it is no valid JSON: it ends too early";
  return nullptr;
}

json::value read_json(const std::filesystem::path& path) {
  std::string fault;
  json::value value = json_of(read_text(path), fault);
  if (!fault.empty()) fail(Error::Category::data, "json", fault, path.string());
  return value;
}

}  // namespace qfw

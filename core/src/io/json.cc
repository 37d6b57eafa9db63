#include "io/json.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw {
namespace {

namespace json = boost::json;

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // stays a double when read back
  return text;
}

class Printer {
 public:
  explicit Printer(bool pretty) : pretty_(pretty) {}

  void print(const json::value& value, int depth) {
    switch (value.kind()) {
      case json::kind::object:
        return all(value.get_object(), '{', '}', depth, [&](const auto& pair) {
          text += json::serialize(json::string(pair.key())) + (pretty_ ? ": " : ":");
          print(pair.value(), depth + 1);
        });
      case json::kind::array:
        return all(value.get_array(), '[', ']', depth, [&](const auto& item) { print(item, depth + 1); });
      case json::kind::double_:
        text += number(value.get_double());
        return;
      default:
        text += json::serialize(value);
    }
  }

  std::string text;

 private:
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

void write_json(const std::filesystem::path& path, const json::value& value) {
  write_text_atomically(path, json_pretty(value));
}

json::value read_json(const std::filesystem::path& path) {
  boost::system::error_code error;
  json::value value = json::parse(read_text(path), error);
  if (error) fail(Error::Category::data, "json", fmt::format("not valid JSON: {}", error.message()), path.string());
  return value;
}

}  // namespace qfw

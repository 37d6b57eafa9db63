#include "positions.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "qfw/text.h"

namespace qfw::aqt {
namespace {

namespace json = boost::json;

constexpr std::string_view blank = " \t\r\n";

}  // namespace

/// One walk over a text that the parser has taken, so that nothing here can be missing or nested too deeply.
struct Positions::Scan {
  Positions& result;
  std::string_view text = result.text_;
  std::size_t at = 0;

  char next() { return text[at = text.find_first_not_of(blank, at)]; }

  std::string_view quoted() {
    const std::size_t begin = at++;
    while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    return text.substr(begin, ++at - begin);
  }

  void members(const std::string& path) {
    for (++at; next() != '}';) {
      if (text[at] == ',') {
        ++at;
        next();
      }
      const std::size_t begin = at;
      const json::value key = json::parse(json::string_view(quoted()));
      std::string inside = path + (path.empty() ? "" : ".") + std::string(key.get_string());
      next();
      ++at;  // the colon
      if (result.offsets_.contains(inside)) result.repeated_.emplace_back(inside, begin);
      value(inside);
    }
    ++at;
  }

  void items(const std::string& path) {
    std::size_t number = 0;
    for (++at; next() != ']';) {
      if (text[at] == ',') ++at;
      value(fmt::format("{}[{}]", path, number++));
    }
    ++at;
  }

  void value(const std::string& path) {
    const char first = next();
    result.offsets_.emplace(path, at);
    if (first == '{') return members(path);
    if (first == '[') return items(path);
    if (first == '"') {
      quoted();
    } else {
      at = std::min(text.find_first_of(" \t\r\n,]}", at), text.size());
    }
  }
};

Positions::Positions(std::string_view text) : text_(text) { Scan{*this}.value(""); }

std::string Positions::at(std::size_t offset) const { return line_and_column(text_, offset); }

std::string Positions::of(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = offsets_.find(path); found != offsets_.end()) return at(found->second);
    const std::size_t parent = path.find_last_of(".[");
    path = path.substr(0, parent == std::string_view::npos ? 0 : parent);
  }
  return {};
}

std::string syntax_fault(std::string_view text) {
  json::stream_parser parser;
  json::error_code error;
  const std::size_t end = parser.write_some(text.data(), text.size(), error);
  if (!error && end == text.size()) return fmt::format("the JSON ends too early, in {}", line_and_column(text, end));
  const std::string_view rest = text.substr(end);
  std::string hint;
  if (rest.starts_with('/') || rest.starts_with('#')) hint = "; JSON has no comments";
  if (rest.starts_with('}') || rest.starts_with(']')) hint = "; is there a comma too many before it?";
  if (rest.starts_with('N') || rest.starts_with('I') || rest.starts_with('n')) hint = "; NaN and Infinity are no JSON numbers";
  if (rest.starts_with('\'')) hint = "; JSON has double quotes";
  const std::string what = !error                           ? "more follows the end"
                           : error == json::error::too_deep ? "too deeply nested"
                                                            : "syntax error";
  return fmt::format("this is not JSON: {} in {}, at '{}'{}", what, line_and_column(text, end),
                     rest.substr(0, std::min<std::size_t>(rest.find_first_of("\r\n"), 20)), hint);
}

}  // namespace qfw::aqt

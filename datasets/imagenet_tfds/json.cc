#include "json.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/stream_parser.hpp>

#include "files.h"
#include "qfw/error.h"
#include "qfw/text.h"

namespace qfw::tfds {

namespace json = boost::json;

namespace {

std::string where_it_ends(const std::string& text) {
  json::stream_parser parser;
  boost::system::error_code error;
  const std::size_t end = parser.write_some(text, error);
  const std::string what = error ? error.message() : end < text.size() ? "more follows the end" : "the text ends early";
  return fmt::format("{} in {}", what, line_and_column(text, end));
}

}  // namespace

void unfit(const std::filesystem::path& file, const std::string& what, const std::string& remedy) {
  fail(Error::Category::data, "tfds", what, file.string(), remedy);
}

json::object read_object(const std::filesystem::path& file) {
  const std::string text = read_short_text(file);
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (!error && value.is_object()) return value.get_object();
  if (!error) unfit(file, "this is JSON, but not a JSON object");
  const std::string disguise = disguise_of(RegularFile(file));
  unfit(file, "this is not a JSON object: " + (disguise.empty() ? where_it_ends(text) : disguise));
}

std::string text_at(const json::object& object, const char* key, const std::string& otherwise) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : otherwise;
}

}  // namespace qfw::tfds

#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace qfw {

/// Keys in the order of insertion, doubles in the shortest form that reads back as the same, NaN and infinity as null. Always
/// valid UTF-8 without control characters: a byte of a string or key that is no UTF-8 becomes the text `\xe4`; keys stay
/// different.
std::string json_pretty(const boost::json::value& value);  ///< indented by two, ends with a newline
std::string json_line(const boost::json::value& value);    ///< on one line, without a newline

/// JSON that somebody else wrote, with the bytes of its strings that are no UTF-8 replaced in the same way.
std::string json_in_utf8(std::string_view text);

void write_json(const std::filesystem::path& path, const boost::json::value& value);  ///< pretty, by rename
boost::json::value read_json(const std::filesystem::path& path);

/// What a text holds. Where it is no JSON, null, and `fault` says why and where: "it is no valid JSON: it ends too early".
boost::json::value json_of(std::string_view text, std::string& fault);

template <class T>
boost::json::value or_null(const std::optional<T>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

}  // namespace qfw

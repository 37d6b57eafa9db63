#pragma once

#include <boost/json/value.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qfw::viewer {

/// What a key of a run's JSON files holds, so that the page can rely on it whatever is in the file.
struct Field {
  enum class Type { text, number, flag, texts, numbers, matrix, picture, record, records };

  std::string_view key;
  Type type;
  std::span<const Field> fields = {};  ///< of a record, or of each of several
};

/// Every key of `fields` and no other; null where `value` has none or something of another type, which is named in `faults`.
/// Numbers are finite, rows of a matrix equally long, a picture is a PNG as a data: address and nothing else.
boost::json::object conform(const boost::json::value& value, std::span<const Field> fields, std::vector<std::string>& faults);

/// Throws FileProblem.
boost::json::value parse_json(const std::string& text);

}  // namespace qfw::viewer

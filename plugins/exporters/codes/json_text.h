#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace qfw::codes {

/// A number that reads back as the same; "nan", "inf" or "-inf" for what JSON has no number for.
boost::json::value json_number(double value);
/// UTF-8: another byte becomes the text `\xe4`.
boost::json::value json_string(std::string_view text);
/// Indented, but for what fits on a line; keys in the order of insertion.
std::string json_text(const boost::json::value& value);

}  // namespace qfw::codes

#pragma once

#include <boost/json.hpp>
#include <span>
#include <string>

#include "qfw/options.h"

namespace qfw {

/// How an option is declared, in words: `integer or none`, `true|false`.
std::string type_of(const Option& option);
/// `1 .. 8`, `>= 0`, `> 0, <= 1`, `a | b`, or nothing where anything goes.
std::string allowed_of(const Option& option);
/// `128`, `none`, `as schedule.num_epochs`; nothing for an empty text.
std::string default_of(const Option& option);

boost::json::value json_of(const OptionValue& value);
boost::json::object json_of(const Option& option);
boost::json::array json_of(std::span<const Option> options);

/// A table of name, type, default and allowed values, with what each means below it, in lines of `width` columns. `heading` is
/// that of the first column.
std::string table_of(std::span<const Option> options, const std::string& heading, std::size_t width);

}  // namespace qfw

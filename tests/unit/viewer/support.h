#pragma once

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "sample_run/sample_run.h"
#include "support/files.h"

namespace qfw::test {

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
inline void append_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}
inline std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline std::vector<double> numbers(const boost::json::value& array) {
  std::vector<double> result;
  for (const auto& value : array.as_array()) result.push_back(value.is_null() ? -1 : value.to_number<double>());
  return result;
}

}  // namespace qfw::test

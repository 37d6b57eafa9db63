#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "plugin/catalog.h"

namespace qfw {

/// Where the plugins of tests/end_to_end/plugins were built.
inline std::filesystem::path built(const std::string& plugin_case) {
  return std::filesystem::path(QFW_BINARY_DIR) / "tests" / "plugins" / plugin_case;
}

/// A catalog of these cases.
inline std::vector<std::filesystem::path> built_all(std::initializer_list<const char*> cases) {
  std::vector<std::filesystem::path> folders;
  for (const char* each : cases) folders.push_back(built(each));
  return folders;
}

/// The message and category with which `call` fails; an empty message if it does not.
struct Failure {
  std::string message;
  Error::Category category = Error::Category::internal;
};
template <class Call>
Failure failure_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.what(), error.category()};
  }
  return {};
}

}  // namespace qfw

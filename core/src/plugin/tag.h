#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qfw/export.h"

namespace qfw {

/// What QFW_PLUGIN leaves in a library as text (qfw_plugin_tag), readable without running any of the library's code.
struct PluginTag {
  std::string abi, fingerprint;
  std::vector<std::pair<std::string, std::string>> provides;  ///< kind and name, in the order of the source
  std::string description, version, licence;
};

/// A plugin file as far as its bytes tell.
struct PluginFile {
  PluginTag tag;        ///< empty if it carries none
  std::string problem;  ///< why this core cannot use it, for a person; empty: it can be opened
};

/// Never throws for what the file contains or lacks, only for want of memory.
QFW_API PluginFile read_plugin_file(const std::filesystem::path& file);

/// Every part in which two fingerprints differ, "compiler: found clang 15, expected gcc 12", joined by ", ". Empty: equal.
QFW_API std::string fingerprint_difference(std::string_view found, std::string_view expected);

}  // namespace qfw

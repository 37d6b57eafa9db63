#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What backends that open libraries at run time look for them with. What cannot be read is not there.
namespace qfw::lowering {

using EnvironmentVariable = std::function<const char*(const char* name)>;

std::vector<std::string> split_path(std::string_view text);  ///< at colons; nothing between two is left out
bool is_folder(const std::filesystem::path& path);
bool is_file(const std::filesystem::path& path);                                     ///< or a link to one
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);  ///< sorted
std::string value_of(const EnvironmentVariable& environment, const char* variable);  ///< empty: not set

/// The folders of packages of a Python that is installed below `prefix`, newest version first.
std::vector<std::filesystem::path> package_folders(const std::filesystem::path& prefix);
/// Those of the Python of VIRTUAL_ENV, of CONDA_PREFIX, of each python3 in PATH, and those in ~/.local; each once.
std::vector<std::filesystem::path> package_folders(const EnvironmentVariable& environment);

}  // namespace qfw::lowering

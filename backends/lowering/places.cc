#include "qfw/lowering/places.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

namespace qfw::lowering {
namespace {

namespace fs = std::filesystem;

/// 11 of "python3.11", 0 of "python3"; -1: not one of them.
int python_version(const fs::path& folder) {
  const std::string name = folder.filename().string();
  constexpr std::string_view prefix = "python3";
  if (!name.starts_with(prefix)) return -1;
  int minor = 0;
  if (name.size() > prefix.size() + 1) std::from_chars(name.data() + prefix.size() + 1, name.data() + name.size(), minor);
  return minor;
}

/// Where the Python lies that pyenv's script in `shims` starts.
std::vector<fs::path> chosen_by_pyenv(const fs::path& shims) {
  const fs::path home = shims.parent_path();
  std::vector<fs::path> prefixes;
  std::ifstream file(home / "version");
  for (std::string version; file >> version;) prefixes.push_back(home / "versions" / version);
  return prefixes;
}

/// Where Pythons are installed. A python3 in PATH may be a link out of a virtual environment: both ends count.
std::vector<fs::path> python_prefixes(const EnvironmentVariable& environment) {
  std::vector<fs::path> prefixes;
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string value = value_of(environment, variable);
    if (!value.empty()) prefixes.emplace_back(value);
  }
  for (const std::string& folder : split_path(value_of(environment, "PATH"))) {
    const fs::path python = (fs::path(folder) / "python3").lexically_normal(), bin = python.parent_path();
    if (!is_file(python)) continue;
    if (bin.filename() == "shims") {
      std::ranges::copy(chosen_by_pyenv(bin), std::back_inserter(prefixes));
      continue;
    }
    prefixes.push_back(bin.parent_path());
    std::error_code error;
    const fs::path real = fs::canonical(python, error);
    if (!error) prefixes.push_back(real.parent_path().parent_path());
  }
  const std::string home = value_of(environment, "HOME");
  if (!home.empty()) prefixes.push_back(fs::path(home) / ".local");
  return prefixes;
}

}  // namespace

std::vector<std::string> split_path(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(':'), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

std::string value_of(const EnvironmentVariable& environment, const char* variable) {
  const char* value = environment ? environment(variable) : nullptr;
  return value == nullptr ? "" : value;
}

std::vector<fs::path> package_folders(const fs::path& prefix) {
  std::vector<fs::path> pythons, found;
  for (const char* between : {"lib", "lib64", "local/lib"}) {
    for (const fs::path& entry : entries_of(prefix / between)) {
      if (python_version(entry) >= 0) pythons.push_back(entry);
    }
  }
  std::ranges::stable_sort(pythons, std::greater(), python_version);
  for (const fs::path& python : pythons) {
    for (const char* packages : {"site-packages", "dist-packages"}) {
      if (is_folder(python / packages)) found.push_back(python / packages);
    }
  }
  return found;
}

std::vector<fs::path> package_folders(const EnvironmentVariable& environment) {
  std::set<fs::path> seen;
  std::vector<fs::path> folders;
  for (const fs::path& prefix : python_prefixes(environment)) {
    for (const fs::path& folder : package_folders(prefix)) {
      std::error_code ignored;
      if (seen.insert(fs::weakly_canonical(folder, ignored)).second) folders.push_back(folder);
    }
  }
  return folders;
}

}  // namespace qfw::lowering

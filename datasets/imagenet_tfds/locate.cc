#include "locate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "json.h"

namespace qfw::tfds {

namespace {

namespace fs = std::filesystem;

bool is_prepared(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "dataset_info.json", error);
}

/// "5.1.0" -> {5, 1, 0}; empty for another name.
std::vector<int> version_of(const std::string& name) {
  std::vector<int> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) {
    int number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) return {};
    parts.push_back(number);
  }
  return parts;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// The oldest first.
std::vector<std::string> versions_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const std::string& name : names_in(folder)) {
    if (!version_of(name).empty() && is_prepared(folder / name)) names.push_back(name);
  }
  std::ranges::sort(names, {}, version_of);
  return names;
}

/// Folders with versions below: configurations, or data sets.
std::vector<std::string> families_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const std::string& name : names_in(folder)) {
    if (!versions_in(folder / name).empty()) names.push_back(name);
  }
  return names;
}

/// What a data set's folder holds that a configuration's does not: its own name.
bool is_configuration(const fs::path& family) {
  const fs::path file = family / versions_in(family).back() / "dataset_info.json";
  return text_at(read_object(file), "name", "") != family.filename();
}

std::string listed(std::vector<std::string> names) {
  constexpr std::size_t told = 12;
  if (names.empty()) return "nothing";
  const std::size_t rest = names.size() > told ? names.size() - told : 0;
  names.resize(names.size() - rest);
  return fmt::format("{}{}", fmt::join(names, ", "), rest > 0 ? fmt::format(" and {} more", rest) : "");
}

Located choose_version(const fs::path& family, const Wanted& wanted) {
  const std::vector<std::string> versions = versions_in(family);
  if (!wanted.version.empty()) {
    if (std::ranges::find(versions, wanted.version) == versions.end())
      unfit(family / wanted.version, fmt::format("there is no such version; there are: {}", listed(versions)),
            "choose one with dataset.version");
    return {family / wanted.version, {}};
  }
  Located found{family / versions.back(), {}};
  if (versions.size() > 1)
    found.note = fmt::format("{} holds the versions {}; {} is taken, dataset.version chooses another", family.string(),
                             listed(versions), versions.back());
  return found;
}

/// In the folder of a data set or a configuration.
std::optional<Located> look_in(const fs::path& folder, const Wanted& wanted, std::vector<std::string> configurations) {
  if (is_prepared(folder)) return Located{folder, {}};
  if (!wanted.config.empty()) {
    if (!versions_in(folder / wanted.config).empty()) return choose_version(folder / wanted.config, wanted);
    if (configurations.empty()) return std::nullopt;
    unfit(folder / wanted.config, fmt::format("there is no such configuration; there are: {}", listed(configurations)),
          "choose one with dataset.config");
  }
  if (!versions_in(folder).empty()) return choose_version(folder, wanted);
  if (configurations.size() == 1) return choose_version(folder / configurations[0], wanted);
  if (configurations.empty()) return std::nullopt;
  unfit(folder, fmt::format("there are several configurations: {}", listed(configurations)), "choose one with dataset.config");
}

}  // namespace

Located locate(const Wanted& wanted) {
  const fs::path& root = wanted.root;
  std::error_code error;
  if (!fs::is_directory(root, error))
    unfit(root, fs::exists(root, error) ? "it is a file, not a folder" : "there is no such folder");
  if (const fs::directory_iterator first(root, error); error) {
    unfit(root, fmt::format("the folder cannot be read: {}", error.message()), "make it readable for this user");
  }
  if (is_prepared(root)) return {root, {}};
  const fs::path own = root / wanted.dataset;
  if (auto found = look_in(own, wanted, families_in(own))) return *found;
  std::vector<std::string> datasets = families_in(root), configurations;
  std::erase_if(datasets, [&](const std::string& name) {
    if (!is_configuration(root / name)) return false;
    configurations.push_back(name);
    return true;
  });
  if (auto found = look_in(root, wanted, configurations)) return *found;
  if (!datasets.empty())
    unfit(root,
          fmt::format("there is no data set {} (no {}/<version>/dataset_info.json); there are: {}", wanted.dataset,
                      wanted.dataset, listed(datasets)),
          "choose one with dataset.dataset, or point dataset.data_dir at its folder");
  unfit(root, fmt::format("there is neither a dataset_info.json nor {}/<version>/dataset_info.json; in it lies: {}",
                          wanted.dataset, listed(names_in(fs::is_directory(own, error) ? own : root))));
}

}  // namespace qfw::tfds

#include "interchange/choose_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "io/log.h"
#include "qfw/error.h"
#include "recipe/sections.h"

namespace qfw {

namespace {

constexpr int deepest_group = 2;
constexpr std::size_t names_told = 8;

/// Names of formats in the order in which they are asked.
std::vector<std::string> candidates(const Catalog& catalog, const std::string& named) {
  if (!named.empty()) return {named};
  std::vector<std::string> all = catalog.names(Format::kind);
  std::ranges::stable_sort(all, {}, [](const std::string& name) { return name != recipe::default_format; });
  return all;
}

/// The names below each group that is so many levels deep.
std::map<std::string, std::vector<std::string>> groups_at(std::span<const std::string> names, int depth) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const std::string& name : names) {
    std::size_t begin = 0;  // of what is below the group
    for (int level = 0; level < depth && begin != std::string::npos; ++level) {
      const std::size_t slash = name.find('/', begin);
      begin = slash == std::string::npos ? slash : slash + 1;
    }
    if (begin != std::string::npos) groups[name.substr(0, begin > 0 ? begin - 1 : 0)].push_back(name.substr(begin));
  }
  return groups;
}

}  // namespace

ChosenFormat choose_format(const Catalog& catalog, const std::string& named, const std::string& group,
                           std::span<const std::string> names, const std::string& file) {
  std::vector<ChosenFormat> formats;
  for (const std::string& name : candidates(catalog, named)) {
    try {
      formats.push_back({name, group, catalog.get<Format>(name).make({})});
    } catch (const Error& error) {
      if (!named.empty()) throw;
      logger().warn("the format {} cannot be asked: {}", name, error.what());
    }
  }
  for (int depth = 0; depth <= (group.empty() ? deepest_group : 0); ++depth) {
    std::vector<std::string> found;
    ChosenFormat* chosen = nullptr;
    for (const auto& [inner, below] : groups_at(names, depth)) {
      const auto format = std::ranges::find_if(
          formats, [&names_below = below](const auto& each) { return each.format->recognizes(names_below); });
      if (format == formats.end()) continue;
      found.push_back(inner);
      if (chosen == nullptr) chosen = &*format;
    }
    if (found.size() > 1) {
      fail(Error::Category::usage, "import", fmt::format("there are weights of several networks: {}", fmt::join(found, ", ")),
           file, fmt::format("choose one, as --group={}", found.front()));
    }
    if (chosen == nullptr) continue;
    if (!found.front().empty()) chosen->group = found.front();
    return std::move(*chosen);
  }
  if (!named.empty()) return std::move(formats.front());
  std::vector<std::string> all;
  for (const ChosenFormat& each : formats) all.push_back(each.name);
  const auto told = names.first(std::min(names.size(), names_told));
  fail(Error::Category::data, "import",
       names.empty() ? std::string("the file holds no tensors")
                     : fmt::format("no format knows the names in the file ({}{})", fmt::join(told, ", "),
                                   names.size() > told.size() ? fmt::format(", and {} more", names.size() - told.size()) : ""),
       file,
       fmt::format("formats are {}; --format=NAME chooses one, --group=PATH where in the file to look", fmt::join(all, ", ")));
}

}  // namespace qfw

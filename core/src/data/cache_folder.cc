#include "data/cache_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "qfw/error.h"
#include "util/counted.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".pixels";
constexpr std::size_t digits = 16;

bool is_hexadecimal(std::string_view text) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Of a file's name, with or without `.partial` and `.lock` behind it.
bool is_stale(std::string_view name, const CacheFileName& used) {
  const std::size_t end = name.find(ending);
  if (end == std::string_view::npos || name.substr(0, end + ending.size()) == used.text()) return false;
  const std::string_view first = name.substr(0, digits),
                         second = name.substr(0, end).substr(std::min(digits + 1, end)).substr(0, digits);
  if (!is_hexadecimal(first)) return false;
  if (!is_hexadecimal(second)) return true;  // of an older version: KEY_SPLIT.pixels
  return first == used.text().substr(0, digits) && name.substr(0, end).ends_with("_" + used.split);
}

std::string size_text(std::uintmax_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

}  // namespace

fs::path user_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') return fs::path(cache) / "qfw";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".cache" / "qfw";
  fail(Error::Category::usage, "cache", "neither XDG_CACHE_HOME nor HOME is set", {}, "set dataset.cache_dir");
}

std::string CacheFileName::text() const { return fmt::format("{:016x}_{:016x}_{}{}", settings, key, split, ending); }

std::string stale_files(const fs::path& folder, const CacheFileName& used) {
  std::uintmax_t all = 0, unused = 0;
  std::vector<std::string> stale;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code gone;  // another process may remove it
    const std::uintmax_t size = entry->file_size(gone);
    if (gone) continue;
    all += size;
    if (!is_stale(entry->path().filename().string(), used)) continue;
    unused += size;
    if (size > 0) stale.push_back("'" + entry->path().string() + "'");
  }
  if (stale.empty()) return {};
  std::ranges::sort(stale);
  return fmt::format("{} of earlier states of this data set, used no more: {} of {} in {}. To make room: rm {}",
                     counted(stale.size(), "file"), size_text(unused), size_text(all), folder.string(), fmt::join(stale, " "));
}

}  // namespace qfw

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "io/checkpoint.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "step_", suffix = ".h5";

/// The step in a name like step_000012345.h5, if it is one.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (name.size() < prefix.size() + 9 + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return std::nullopt;
  const char *first = name.data() + prefix.size(), *last = name.data() + name.size() - suffix.size();
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last || step < 0) return std::nullopt;
  return step;
}

}  // namespace

fs::path checkpoint_path(const fs::path& folder, std::int64_t step) {
  return folder / fmt::format("{}{:09}{}", prefix, step, suffix);
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    const auto step = step_of(entry->path().filename().string());
    if (step && entry->is_regular_file(ignored)) found.emplace_back(*step, entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fail(Error::Category::data, "checkpoint", fmt::format("cannot read the folder {}: {}", folder.string(), error.message()));
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::optional<fs::path> newest_checkpoint(const fs::path& folder) {
  auto paths = checkpoints_in(folder);
  if (paths.empty()) return std::nullopt;
  return std::move(paths.back());
}

void prune_checkpoints(const fs::path& folder, int keep) {
  const auto paths = checkpoints_in(folder);
  const std::size_t kept = static_cast<std::size_t>(std::max(keep, 1));
  for (std::size_t i = 0; i + kept < paths.size(); ++i) {
    std::error_code error;
    fs::remove(paths[i], error);
    if (error)
      fail(Error::Category::data, "checkpoint", fmt::format("cannot remove {}: {}", paths[i].string(), error.message()));
  }
}

void keep_best(const fs::path& checkpoint, const fs::path& best) { link_atomically(checkpoint, best); }

}  // namespace qfw

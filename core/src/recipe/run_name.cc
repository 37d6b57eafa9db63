#include "recipe/run_name.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <vector>

namespace qfw::recipe {
namespace {

namespace fs = std::filesystem;

fs::path joined(auto begin, auto end) {
  fs::path path;
  for (auto part = begin; part != end; ++part) path /= *part;
  return path;
}

/// Without a file system at hand, a relative path counts from the root.
fs::path from_root(const fs::path& file) {
  std::error_code error;
  const fs::path path = fs::absolute(file, error);
  return (error ? fs::path("/") / file : path).lexically_normal();
}

}  // namespace

fs::path run_name(const fs::path& file) {
  const fs::path whole = from_root(file);
  const fs::path folder = whole.parent_path().relative_path();
  const std::vector<fs::path> folders(folder.begin(), folder.end());
  const fs::path stem = whole.stem().empty() ? fs::path("recipe") : whole.stem();
  if (const auto last = std::find(folders.rbegin(), folders.rend(), "recipes"); last != folders.rend())
    return joined(last.base(), folders.end()) / stem;

  std::error_code error;
  const fs::path below = whole.parent_path().lexically_relative(fs::current_path(error));
  if (!error && !below.empty() && *below.begin() != "..") return below == "." ? stem : below / stem;
  return folders.empty() ? stem : folders.back() / stem;
}

fs::path run_folder_of(const fs::path& file) {
  std::error_code error;
  const fs::path folder = file.parent_path();
  if (file.filename() != "recipe.ini" || !fs::exists(folder / ".lock", error)) return {};
  if (!fs::is_directory(folder / "checkpoints", error)) return {};
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

}  // namespace qfw::recipe

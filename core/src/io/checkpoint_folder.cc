#include "io/checkpoint_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "io/log.h"
#include "io/open_fault.h"
#include "qfw/error.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "step_", suffix = ".h5";

/// Throws unless there is nothing of that name.
void check_is_absent(const fs::path& folder, const std::error_code& error) {
  std::error_code none;
  const bool is_link = fs::is_symlink(fs::symlink_status(folder, none));
  if (error == std::errc::no_such_file_or_directory && !is_link) return;
  const bool closed = error == std::errc::permission_denied;
  const std::string why = error == std::errc::not_a_directory ? "it is no folder"
                          : closed                            ? error.message()
                                                              : open_fault(folder, error.value());
  fail(Error::Category::data, "checkpoint", fmt::format("cannot list the checkpoints: {}", why), folder.string(),
       closed ? "make the folder readable" : "bring the folder back, or move away what is in its place");
}

}  // namespace

fs::path checkpoint_path(const fs::path& folder, std::int64_t step) {
  return folder / fmt::format("{}{:09}{}", prefix, step, suffix);
}

std::optional<std::int64_t> checkpoint_step(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() < prefix.size() + 9 + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return std::nullopt;
  const char *first = name.data() + prefix.size(), *last = name.data() + name.size() - suffix.size();
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(first, last, step);
  if (error != std::errc() || end != last || step < 0) return std::nullopt;
  return step;
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (const auto step = checkpoint_step(entries->path())) found.emplace_back(*step, entries->path());
  }
  if (error) check_is_absent(folder, error);
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::unique_ptr<Checkpoint> open_checkpoint_of_run(const fs::path& path) {
  auto checkpoint = std::make_unique<Checkpoint>(path);
  if (const std::int64_t step = checkpoint->info().step; checkpoint_step(path) != step) {
    throw CheckpointError(
        CheckpointError::Kind::damaged,
        fmt::format("[checkpoint] {} holds the state after step {}: it was renamed or copied", path.string(), step));
  }
  return checkpoint;
}

std::unique_ptr<Checkpoint> CheckpointFolder::newest() {
  const auto paths = checkpoints_in(folder_);
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    try {
      auto checkpoint = open_checkpoint_of_run(*path);
      whole_.insert(*path);
      newest_ = *path;
      return checkpoint;
    } catch (const CheckpointError& error) {
      if (error.kind() != CheckpointError::Kind::damaged) throw;
      pass_over(*path, error);
    }
  }
  if (paths.empty()) return nullptr;
  fail(Error::Category::data, "checkpoint",
       paths.size() == 1 ? std::string("its only checkpoint is not whole")
                         : fmt::format("none of its {} checkpoints is whole", paths.size()),
       folder_.string(), "bring back one that is, or begin anew in another --run.dir");
}

void CheckpointFolder::prune(int keep) {
  const auto paths = checkpoints_in(folder_);
  int kept = 0;
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    if (kept < std::max(keep, 1)) {
      kept += is_whole(*path) ? 1 : 0;
      continue;
    }
    std::error_code unknown;
    if (!fs::is_directory(fs::symlink_status(*path, unknown))) remove(*path);
  }
}

void CheckpointFolder::remove(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) logger().warn("an old checkpoint cannot be removed: {} ({})", error.message(), path.string());
}

bool CheckpointFolder::is_whole(const fs::path& path) {
  if (whole_.contains(path)) return true;
  if (passed_over_.contains(path)) return false;
  try {
    open_checkpoint_of_run(path);
    whole_.insert(path);
    return true;
  } catch (const CheckpointError& error) {
    pass_over(path, error);
    return false;
  }
}

void CheckpointFolder::pass_over(const fs::path& path, const Error& error) {
  if (passed_over_.insert(path).second) logger().warn("passing over a checkpoint: {}", error.what());
}

}  // namespace qfw

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "io/checkpoint.h"

namespace qfw {

/// FOLDER/step_000012345.h5
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::int64_t step);
/// The step in such a name, if it is one.
std::optional<std::int64_t> checkpoint_step(const std::filesystem::path& path);
/// All of such a name, by step, oldest first, whatever it is: opening a folder, pipe or link to nowhere says so, and passing it
/// over would go on from an older state in silence. None if there is no such folder. Throws Category::data if it cannot be
/// read: what cannot be seen must not pass for what is not there.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);

/// One of those files. Throws a CheckpointError also if it holds the state of another step than its name says.
std::unique_ptr<Checkpoint> open_checkpoint_of_run(const std::filesystem::path& path);

/// Checkpoints of one run: which to go on from, which to remove. Damaged ones are left where they are, and said once.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The newest that is whole, open; null if there is no checkpoint at all. Throws Category::data if there are some and none is
  /// whole, and for one that cannot be read for a reason outside it (permission, input/output): an older one in its place, or a
  /// start from the beginning, would throw training away.
  std::unique_ptr<Checkpoint> newest();
  /// Where newest() found it.
  const std::filesystem::path& newest_path() const { return newest_; }

  /// This process has just written the one of that step: it is whole.
  void wrote(std::int64_t step) { whole_.insert(checkpoint_path(folder_, step)); }
  void remove(std::int64_t step) { remove(checkpoint_path(folder_, step)); }
  /// Removes what is older than the newest `keep` that are whole. One that cannot be read counts for nothing.
  void prune(int keep);

 private:
  void remove(const std::filesystem::path& path);
  bool is_whole(const std::filesystem::path& path);
  void pass_over(const std::filesystem::path& path, const Error& error);

  std::filesystem::path folder_, newest_;
  std::set<std::filesystem::path> whole_, passed_over_;  ///< as far as they were looked at
};

}  // namespace qfw

#pragma once

#include <filesystem>
#include <memory>

#include "io/checkpoint.h"

namespace qfw {

/// A run's recipe and one of its checkpoints, open.
struct RunSource {
  std::filesystem::path recipe, path;
  std::unique_ptr<Checkpoint> checkpoint;
};

/// Of a run folder (its newest checkpoint), or of a checkpoint file in one. Throws Error::Category::usage for anything else,
/// and a CheckpointError for one that cannot be used: an older one in its place would give results of another state.
RunSource find_run(const std::filesystem::path& given);

/// Throws Error::Category::usage for a target that would replace a file of the run in `folder`, or lie among its checkpoints.
void refuse_file_of_run(const std::filesystem::path& folder, const std::filesystem::path& target);

}  // namespace qfw

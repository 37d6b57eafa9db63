#pragma once

#include <filesystem>

namespace qfw {

/// A run's recipe and one of its checkpoints.
struct RunSource {
  std::filesystem::path recipe, checkpoint;
};

/// Of a run folder (its newest checkpoint), or of a checkpoint file in one. Throws Error::Category::usage for anything else.
RunSource find_run(const std::filesystem::path& given);

}  // namespace qfw

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

/// Of a run folder (its newest whole checkpoint), or of a checkpoint file in one. Throws Error::Category::usage for anything
/// else.
RunSource find_run(const std::filesystem::path& given);

}  // namespace qfw

#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "io/checkpoint.h"

namespace qfw {

/// What a file that the user names will hold.
enum class OutputKind { weights, logits, json, any };

/// A run's recipe and one of its checkpoints, open.
struct RunSource {
  std::filesystem::path recipe, path;
  std::unique_ptr<Checkpoint> checkpoint;
};

/// Throws Error::Category::data if there is a folder of that name that this user may not look into: what is in it would pass
/// for what is not there.
void check_accessible(const std::filesystem::path& folder, std::string_view tag);

/// Of a run folder (its newest checkpoint), or of a checkpoint file in one. Throws Error::Category::usage for anything else,
/// and a CheckpointError for one that cannot be used: an older one in its place would give results of another state.
RunSource find_run(const std::filesystem::path& given);

/// Before a file is written that the user named. Throws Error::Category::usage where that would replace a file of a run, be it
/// which it may, or lie among its checkpoints; or where there is a file that is no such one: somebody else's. JSON is told by
/// its first byte.
void check_output(const std::filesystem::path& target, OutputKind kind);

}  // namespace qfw

#pragma once

#include <filesystem>
#include <string_view>

namespace qfw {

/// Whether a checkpoint may be continued under a recipe: both as resolved text. What decides the course of training (model,
/// quantizer, layers, schedule, optimizer, data set, augmentation, batch size) must be equal; else throws
/// Error::Category::usage listing each differing key with both values. Length, evaluation, checkpoints, metrics and backend
/// may differ, and are logged.
void check_same_run(std::string_view checkpoint_recipe, std::string_view recipe, const std::filesystem::path& checkpoint);

}  // namespace qfw

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"
#include "recipe/recipe.h"
#include "run/replicas.h"

namespace qfw {

/// Whether a checkpoint, whose resolved recipe is given, may be continued under another. What decides the course of training
/// (model, quantizer, layers, schedule, optimizer, data set, augmentation, batch size) must be equal; else throws
/// Error::Category::usage listing each differing key with both values. Length, evaluation, checkpoints, metrics and backend
/// may differ, and are logged. An option that the checkpoint's program did not know counts as its default.
void check_same_run(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint);

/// The same for a checkpoint that is to be evaluated, where it may be meant: said in a warning.
void say_how_runs_differ(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint);

/// Whether a checkpoint has the variables of the model at hand; throws Error::Category::usage where not: the recipe is the
/// same, so its plugins are not.
void check_same_variables(const std::vector<CheckpointVariable>& stored, const std::vector<CheckpointVariable>& wanted,
                          const std::filesystem::path& checkpoint);

/// Initial values, batches and random ops come from run.seed, where the checkpoint tells it: throws Error::Category::usage for
/// another one.
void check_same_seed(const std::optional<std::int64_t>& checkpoint_seed, const Recipe& recipe,
                     const std::filesystem::path& checkpoint);

/// All processes of a run go on from the same step, -1 for none: throws Error::Category::usage on all of them where they do not
/// see the same run folder.
void check_same_start(Replicas& replicas, std::int64_t step);

}  // namespace qfw

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"
#include "recipe/recipe.h"
#include "run/replicas.h"

namespace qfw {

/// Whether a checkpoint, whose resolved recipe is given, may be continued under another. What decides the course of training
/// (model, quantizer, layers, schedule, optimizer, data set, augmentation, batch size) must be equal; else throws
/// Error::Category::usage listing differing keys with both values, and an option for a folder of its own. Length, evaluation,
/// checkpoints, metrics and backend may differ: those that do are returned ("train.steps was 5, is 6"). An option that the
/// checkpoint's program did not know counts as its default.
std::vector<std::string> check_same_run(std::string_view checkpoint_recipe, const Recipe& recipe,
                                        const std::filesystem::path& checkpoint);

/// check_same_run for a checkpoint that is to be evaluated, where it may be meant: said in a warning.
void say_how_runs_differ(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint);

/// `--run.dir=FOLDER` as a shell takes it: a folder beside the recipe's, named after it and `words`, where nothing lies yet.
std::string own_folder_option(const Recipe& recipe, const std::vector<std::string>& words);

/// Recipes of two places may have runs of one name. Warns if another file than the recipe's was what the last start in
/// `folder` read, unless the recipe says which folder it means.
void say_if_of_another_file(const std::filesystem::path& folder, const Recipe& recipe);

/// Earlier versions kept runs under the name of the recipe's file alone. Warns of one that this recipe could go on with, if
/// the recipe's own folder is not there yet.
void say_where_older_run_is(const Recipe& recipe);

/// Whether a checkpoint has the variables of the model at hand; throws Error::Category::usage where not: the recipe is the
/// same, so its plugins are not.
void check_same_variables(const std::vector<CheckpointVariable>& stored, const std::vector<CheckpointVariable>& wanted,
                          const Recipe& recipe, const std::filesystem::path& checkpoint);

/// Throws Error::Category::usage for a folder in which a run has left results, but no checkpoint.
void refuse_run_without_checkpoint(const std::filesystem::path& folder, const Recipe& recipe);

/// Initial values, batches and random ops come from run.seed, where the checkpoint tells it: throws Error::Category::usage for
/// another one.
void check_same_seed(const std::optional<std::int64_t>& checkpoint_seed, const Recipe& recipe,
                     const std::filesystem::path& checkpoint);

/// All processes of a run go on from the same step, -1 for none: throws Error::Category::usage on all of them where they do not
/// see the same run folder.
void check_same_start(Replicas& replicas, std::int64_t step);

}  // namespace qfw

#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "qfw/variable.h"
#include "recipe/recipe.h"

namespace qfw {

using VariableValues = std::map<std::string, std::vector<float>, std::less<>>;  ///< by name

/// Throws Error::Category::usage, on behalf of `verb`, for a recipe whose run folder has results already; a free one is
/// proposed that ends in what was done ("imported").
void refuse_begun_run(const Recipe& recipe, std::string_view verb, const std::string& done);

/// Begins a recipe's run without a step of training: its folder with recipe.ini and a checkpoint of `variables`, those of a
/// training step; what `values` do not hold has its initial value. Throws as refuse_begun_run() does; where the checkpoint
/// cannot be written, nothing of it stays. Returns the checkpoint's path.
std::filesystem::path begin_run(const Recipe& recipe, const CheckpointInfo& info, const std::vector<Variable>& variables,
                                const VariableValues& values, std::string_view verb, const std::string& done);

}  // namespace qfw

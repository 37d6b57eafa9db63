#pragma once

#include <memory>

#include "data/corrupt.h"
#include "qfw/dataset.h"
#include "recipe/recipe.h"

namespace qfw {

/// The data set of a recipe, behind the cache that it asks for. `corrupt` outlives it.
std::unique_ptr<Dataset> open_dataset(const Recipe& recipe, int workers, CorruptExamples& corrupt);

/// What a split needs before it is read from: the file of a disk cache.
void prepare_split(Dataset& dataset, std::string_view split);

}  // namespace qfw

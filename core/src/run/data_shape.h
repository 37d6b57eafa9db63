#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "qfw/augment.h"
#include "qfw/dataset.h"
#include "recipe/recipe.h"

namespace qfw {

/// What a recipe's data look like to the model.
struct DataShape {
  Shape source;  ///< [H, W, C] of the examples; empty where they differ, or it is not known
  Shape image;   ///< [H, W, C] behind the augmentation
  std::int64_t classes = 0;
  std::int64_t train_examples = 0;  ///< 0 where the data are not there
};

/// From the data set where it is there, else from what the recipe says of it. Throws Category::data where neither tells, or
/// they differ.
DataShape shape_of(const Recipe& recipe, const Dataset* dataset, const Augment& augment);
/// Of an image as the model sees it; augments that make every image one size need not know that of the data.
std::optional<Shape> shape_without_data(const Recipe& recipe, const Augment& augment);

/// Throws unless the split is there and has examples; `key` of the recipe chose it.
void check_split(const Dataset& dataset, std::string_view split, std::string_view key);

}  // namespace qfw

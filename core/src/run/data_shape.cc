#include "run/data_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "qfw/error.h"
#include "util/counted.h"

namespace qfw {

namespace {

std::optional<Shape> stated_shape(const Recipe& recipe) {
  const auto& stated = recipe.dataset().shape;
  if (!stated) return std::nullopt;
  return Shape(std::span<const std::int64_t>(*stated));
}

}  // namespace

std::optional<Shape> shape_without_data(const Recipe& recipe, const Augment& augment) {
  if (const auto stated = stated_shape(recipe)) return augment.output(*stated);
  try {
    return augment.output({});
  } catch (const Error& error) {
    if (error.category() != Error::Category::usage) throw;
    return std::nullopt;
  }
}

void check_split(const Dataset& dataset, std::string_view split, std::string_view key) {
  const auto splits = dataset.splits();
  if (std::ranges::find(splits, split) == splits.end()) {
    fail(Error::Category::usage, "dataset",
         fmt::format("there is no split {}; the splits are {}", split, fmt::join(splits, ", ")), {},
         fmt::format("set {} to one of them", key));
  }
  if (dataset.size(split) == 0) {
    fail(Error::Category::data, "dataset", fmt::format("split {} has no examples", split), {},
         fmt::format("fill it, or set {} to another", key));
  }
}

DataShape shape_of(const Recipe& recipe, const Dataset* dataset, const Augment& augment) {
  const auto stated = stated_shape(recipe);
  const auto stated_classes = recipe.dataset().classes;
  DataShape shape;
  if (dataset == nullptr) {
    const auto image = shape_without_data(recipe, augment);
    if (!image || !stated_classes) {
      fail(Error::Category::data, "dataset",
           "the data set " + recipe.name("dataset") + " is not there, and the recipe does not say what it looks like",
           "section [dataset]", "set dataset.shape (H,W,C) and dataset.classes, or install it");
    }
    shape.source = stated.value_or(Shape{});
    shape.image = *image;
    shape.classes = *stated_classes;
    shape.train_examples = recipe.dataset().train_examples.value_or(0);
    return shape;
  }
  const Shape found = dataset->shape();
  if (stated && found.rank() > 0 && !(found == *stated)) {
    fail(Error::Category::data, "dataset", fmt::format("images are {}, dataset.shape says {}", found.str(), stated->str()),
         recipe.name("dataset"), "mend or leave out dataset.shape");
  }
  if (stated_classes && *stated_classes != dataset->classes()) {
    fail(Error::Category::data, "dataset",
         fmt::format("it has {}, dataset.classes says {}", counted(dataset->classes(), "class", "classes"), *stated_classes),
         recipe.name("dataset"), "mend or leave out dataset.classes");
  }
  shape.source = found;
  shape.image = augment.output(found);
  shape.classes = dataset->classes();
  check_split(*dataset, recipe.dataset().train_split, "dataset.train_split");
  shape.train_examples = dataset->size(recipe.dataset().train_split);
  if (shape.classes < 1 || shape.train_examples < 0 || shape.image.rank() != 3 || shape.image.count() < 1) {
    fail(Error::Category::data, "dataset",
         fmt::format("{}, {}, which augment {} makes {}", counted(shape.classes, "class", "classes"),
                     counted(shape.train_examples, "training image"), recipe.name("augment"), shape.image.str()),
         recipe.name("dataset"), "there must be some, of [height, width, channels]");
  }
  return shape;
}

}  // namespace qfw

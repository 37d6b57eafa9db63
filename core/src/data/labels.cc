#include "data/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "qfw/error.h"

namespace qfw {

void require_labels(const Dataset& dataset, std::string_view split) {
  const std::int64_t size = dataset.size(split);
  if (size == 0) return;
  const auto has_none = [&](std::int64_t index) {
    try {
      return dataset.get(split, index).label == -1;
    } catch (const Error&) {
      return false;
    }
  };
  if (!std::ranges::all_of(std::array{std::int64_t{0}, size / 2, size - 1}, has_none)) return;
  fail(Error::Category::data, "dataset",
       fmt::format("split {} has no labels (-1), so it can be neither trained nor evaluated on", split),
       dataset.place(split, 0), "choose another with dataset.train_split and dataset.validation_split");
}

}  // namespace qfw

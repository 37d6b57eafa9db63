#include "run/mistakes.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace qfw {

namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;  ///< label, predicted

/// The first `count` in that order.
template <class T, class Before>
void keep_first(std::vector<T>& all, std::size_t count, Before before) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), middle, all.end(), before);
  all.erase(middle, all.end());
}

std::vector<Mistakes::Confusion> most_frequent(const std::map<Pair, std::int64_t>& counts) {
  std::vector<Mistakes::Confusion> all;
  for (const auto& [pair, count] : counts) {
    if (pair.first != pair.second) all.push_back({pair.first, pair.second, count});
  }
  keep_first(all, Mistakes::most_confusions, [](const auto& a, const auto& b) {
    return std::tuple(-a.count, a.label, a.predicted) < std::tuple(-b.count, b.label, b.predicted);
  });
  return all;
}

std::vector<Scores::Example> most_confident(std::span<const Scores::Example> examples) {
  std::vector<Scores::Example> wrong;
  std::ranges::copy_if(examples, std::back_inserter(wrong), [](const auto& example) { return !example.right(); });
  keep_first(wrong, Mistakes::most_worst, [](const auto& a, const auto& b) {
    return std::tuple(-a.probability, -a.loss, a.index) < std::tuple(-b.probability, -b.loss, b.index);
  });
  return wrong;
}

}  // namespace

Mistakes mistakes_in(std::span<const Scores::Example> examples, std::int64_t classes) {
  std::map<Pair, std::int64_t> counts;
  const auto size = static_cast<std::size_t>(classes);
  std::vector<std::int64_t> total(size), right(size);
  for (const Scores::Example& example : examples) {
    ++counts[{example.label, example.predicted}];
    ++total[static_cast<std::size_t>(example.label)];
    right[static_cast<std::size_t>(example.label)] += example.right();
  }
  Mistakes mistakes;
  if (classes <= Mistakes::most_classes) {
    mistakes.matrix.assign(size, std::vector<std::int64_t>(size));
    for (const auto& [pair, count] : counts) {
      mistakes.matrix[static_cast<std::size_t>(pair.first)][static_cast<std::size_t>(pair.second)] = count;
    }
  }
  mistakes.confusions = most_frequent(counts);
  for (std::size_t i = 0; i < size; ++i) {
    const bool any = total[i] > 0;
    mistakes.recall.push_back(any ? std::optional(static_cast<double>(right[i]) / static_cast<double>(total[i]))
                                  : std::nullopt);
  }
  mistakes.worst = most_confident(examples);
  return mistakes;
}

}  // namespace qfw

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/scores.h"

namespace qfw {

/// What an evaluation took for what.
struct Mistakes {
  struct Confusion {
    std::int32_t label = 0, predicted = 0;
    std::int64_t count = 0;
  };
  static constexpr std::int64_t most_classes = 100;  ///< with a matrix
  static constexpr std::size_t most_confusions = 50, most_worst = 24;

  std::vector<std::vector<std::int64_t>> matrix;  ///< rows are labels, columns predictions; empty for more classes than that
  std::vector<Confusion> confusions;              ///< the most frequent mistakes first
  std::vector<std::optional<double>> recall;      ///< of each class: the share of its examples that were found; none of none
  std::vector<Scores::Example> worst;             ///< mistaken with the highest probability first
};

Mistakes mistakes_in(std::span<const Scores::Example> examples, std::int64_t classes);

}  // namespace qfw

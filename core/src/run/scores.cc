#include "run/scores.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "qfw/error.h"

namespace qfw {

void Scores::add(std::span<const float> logits, std::span<const std::int32_t> labels, std::int64_t classes) {
  for (const Example& example : judge(logits, labels, classes)) add(example);
}

void Scores::add(const Example& example) {
  loss_ += example.loss;
  top1_ += example.ahead < 1;
  top5_ += example.ahead < 5;
  ++examples_;
}

std::vector<Scores::Example> Scores::judge(std::span<const float> logits, std::span<const std::int32_t> labels,
                                           std::int64_t classes, std::int64_t first) {
  std::vector<Example> examples;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == -1) continue;
    const auto values = logits.subspan(row * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
    if (labels[row] < 0 || labels[row] >= classes) {
      fail(Error::Category::data, "scores",
           "label " + std::to_string(labels[row]) + " of " + std::to_string(classes) + " classes");
    }
    const auto label = static_cast<std::size_t>(labels[row]);
    const float own = values[label];
    std::int64_t ahead = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      // NaN logits rank nothing: an example with any is a miss.
      ahead += !(values[i] <= own) || (values[i] == own && i < label);
    }
    const auto best = std::ranges::max_element(values);  // the first of equal ones
    const double largest = *best;
    double sum = 0;
    for (const float value : values) sum += std::exp(static_cast<double>(value) - largest);
    examples.push_back({.loss = std::log(sum) + largest - static_cast<double>(own),
                        .ahead = ahead,
                        .index = first + static_cast<std::int64_t>(row),
                        .probability = 1 / sum,
                        .label = labels[row],
                        .predicted = static_cast<std::int32_t>(best - values.begin())});
  }
  return examples;
}

}  // namespace qfw

#include "predict/top.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qfw::predict {

std::vector<Score> top(std::span<const float> logits, std::size_t k) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto before = [&](std::size_t a, std::size_t b) {
    const bool no_a = std::isnan(logits[a]), no_b = std::isnan(logits[b]);
    if (no_a != no_b) return no_b;
    if (!no_a && logits[a] != logits[b]) return logits[a] > logits[b];
    return a < b;
  };
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), before);
  if (k == 0) return {};
  const double largest = logits[order.front()];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  std::vector<Score> scores;
  for (const std::size_t index : std::span(order).first(k)) {
    scores.push_back({index, logits[index], static_cast<float>(std::exp(logits[index] - largest) / sum)});
  }
  return scores;
}

}  // namespace qfw::predict

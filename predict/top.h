#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace qfw::predict {

struct Score {
  std::size_t index = 0;  ///< of the class
  float logit = 0;
  float probability = 0;  ///< softmax over all
};

/// The k largest logits, the largest first, of equal ones the lower class; NaN comes last.
std::vector<Score> top(std::span<const float> logits, std::size_t k);

}  // namespace qfw::predict

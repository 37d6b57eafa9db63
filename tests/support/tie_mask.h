#pragma once

#include <vector>

#include "codes.h"
#include "passes/differentiate.h"
#include "support/evaluate.h"

namespace qfw::aqt {

/// d codes / d scaled at each of `scaled`: 1 within the range, 0 outside, what the tie rule says on its limits.
inline std::vector<float> mask_of(const Levels& levels, const std::vector<float>& scaled,
                                  std::string_view backend = "reference") {
  GraphBuilder g({.training = false});
  const Value y = g.parameter("y", {static_cast<std::int64_t>(scaled.size())}, Init::zeros());
  g.fetch("mask", differentiate(g, sum(levels.codes(y)), std::array{y})[0]);
  return testing::Evaluator(backend).run(g, {{"y", scaled}}).at("mask");
}

}  // namespace qfw::aqt

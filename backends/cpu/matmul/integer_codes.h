#pragma once

#include "qfw/graph.h"

namespace qfw::cpu {

/// What the graph says of codes that are multiplied: how large their products in 16 bits may become.
struct IntegerCodes {
  bool is_signed = false;
  int offset = 0;      ///< makes signed ones u8 when added
  int greatest = 255;  ///< with the offset

  IntegerCodes() = default;
  IntegerCodes(const Graph& graph, Use use);

  /// How many steps of two products, each with a weight of at most that size, a 16-bit sum holds.
  std::int64_t steps(int greatest_weight) const;
};

}  // namespace qfw::cpu

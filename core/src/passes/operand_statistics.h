#pragma once

#include "passes/step.h"

namespace qfw {

/// The forward pass of an evaluation that changes nothing and looks at what quantizers make of operands: how far their grids
/// reach, and how much lies beyond. Each operand is quantized by itself, as Quantizer::quantize does it, so that scales are
/// those of the operand even where a product folds them into another one.
struct OperandStatistics {
  struct Operand {
    std::string path;  ///< of the layer
    Role role{};
    std::int64_t elements = 0;
    std::optional<std::size_t> first;  ///< of its fetches; none where the quantizer gives a grid only to both operands together
  };
  /// The fetches of an operand, scalars, in this order. A bound is the largest magnitude that the grid represents, divided by
  /// the scale; an element is beyond where it lies more than half a step outside of the grid's ends; astray where it does not,
  /// but its code is more than a step away: codes are then not those of the operand times the scale.
  enum Fetched : std::size_t { mean_bound, least_bound, greatest_bound, beyond, astray, fetches_of_operand };
  Graph graph;
  std::vector<Operand> operands;  ///< that got a grid, in the order of the computation
};

OperandStatistics operand_statistics(const StepDescription& description);

}  // namespace qfw

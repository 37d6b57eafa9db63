#pragma once

#include "passes/step.h"

namespace qfw {

/// The forward pass of a step that changes nothing and counts the codes that are not on their quantizer's grid.
struct CodeChecks {
  struct Operand {
    std::string path;  ///< of the layer
    Role role{};
    Grid grid;
  };
  /// For each operand four fetches, scalars: codes off the grid; those of them that are not finite; the largest that is; and
  /// how many elements were NaN before they were quantized. An operand that was not finite has no codes off the grid.
  Graph graph;
  std::vector<Operand> operands;
};

CodeChecks code_checks(const StepDescription& description, bool training);

}  // namespace qfw

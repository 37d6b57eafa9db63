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
  /// For each operand three fetches, scalars: codes off the grid; those of them that are not finite; the largest that is.
  /// An operand that was not finite before it was quantized has none.
  Graph graph;
  std::vector<Operand> operands;
};

CodeChecks code_checks(const StepDescription& description, bool training);

}  // namespace qfw

#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/plan.h"
#include "qfw/lowering/steps.h"
#include "qfw/lowering/target.h"

namespace qfw::cuda {

/// A list of steps in which groups of the same code that do not depend on each other are one.
struct JoinedSteps {
  struct Member {
    int step = 0;                 ///< in the list before
    int inputs = 0, outputs = 0;  ///< how many of the step's are its own, in the order of the members
  };
  lowering::StepList list;
  std::vector<std::vector<Member>> members;  ///< of each step
  std::vector<std::string> labels;           ///< of each step, for people
  std::deque<lowering::Group> groups;        ///< those of several
};

/// `code` is that of each step: groups of equal code may be one launch; of what stays as it is it is empty.
///
/// Steps that follow each other are joined, and two kinds are brought together for it. What is made from variables and other
/// sources alone, as quantized weights are, comes first; what only the variables' next values are made of, as updates are,
/// comes last, after all that others read has been written. A step moves towards the beginning only past steps that write
/// nothing it reads, and towards the end only past steps that read nothing it writes; what would hold much more memory for it
/// (activations until the end, say) stays. All other steps keep their order.
JoinedSteps join_steps(const Graph& graph, lowering::StepList list, std::span<const std::string> code,
                       const lowering::Target& target);

/// Throws Category::internal if one member of a step writes where another reads or writes: they run at once.
void require_apart(const Graph& graph, const JoinedSteps& joined, const lowering::Plan& plan);

}  // namespace qfw::cuda

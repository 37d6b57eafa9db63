#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/steps.h"
#include "qfw/lowering/target.h"

namespace qfw::lowering {

/// Where a tensor lives while a step runs.
struct Place {
  enum class Home : std::uint8_t { arena, variable, feed, fetch, constant, tensor, step };
  Home home = Home::arena;
  int index = 0;           ///< of the variable, feed, fetch or constant tensor
  std::size_t offset = 0;  ///< in the arena or among the constants, in bytes

  bool operator==(const Place&) const = default;
  std::string str() const;
};

/// A list of steps with a place for each operand.
struct Plan {
  struct Placed {
    int step = 0;  ///< in StepList::steps
    std::vector<Place> inputs, outputs;
  };
  /// What the backend writes once, when it compiles.
  struct Constant {
    int node = 0;
    std::size_t offset = 0;
  };
  /// A tensor in the arena, from the step that writes it to the last that reads it: positions in `steps`.
  struct Held {
    Use use;
    std::size_t bytes = 0;
    int first = 0, last = 0;
  };
  std::vector<Placed> steps;        ///< without stores of what is already where it belongs
  std::vector<int> variables_read;  ///< indices into Graph::variables, ascending
  std::vector<int> variables_written;
  std::vector<Constant> constants;
  std::vector<Held> held;  ///< in the order in which they are written; saved copies of variables are not told
  std::size_t constant_bytes = 0, arena_bytes = 0;
  std::size_t tensor_bytes = 0;  ///< of all tensors that live in the arena, as if none shared memory
  std::size_t live_bytes = 0;    ///< of those that live at one step, at most: an arena cannot be smaller
};

/// Whether the kernel of a step may write that output over that input.
using InPlace = std::function<bool(int step, int input, int output)>;

/// Gives every tensor of a list its place. A variable's next value is written over the old one where nothing reads that
/// afterwards, else it is copied at the end; outputs lie over inputs that die with the step where the kernel allows it.
Plan place(const Graph& graph, const StepList& list, const Target& target, const InPlace& in_place);

}  // namespace qfw::lowering

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "kernel.h"
#include "qfw/backend.h"
#include "qfw/lowering/plan.h"

namespace qfw::cuda {

struct Instruction {
  std::unique_ptr<Kernel> kernel;
  std::vector<lowering::Place> inputs, outputs;
  std::string label;      ///< for people: the nodes and the layer
  Executable::Task task;  ///< with all that the kernel says of itself
};

/// A graph as a list of kernels and the places of their operands, its code loaded.
struct Program {
  std::vector<Instruction> instructions;
  std::vector<int> variables_read;  ///< indices into Graph::variables
  std::vector<int> variables_written;
  DeviceMemory constants;
  std::vector<std::shared_ptr<const DeviceMemory>> tensors;  ///< of Graph::tensors
  std::vector<Executable::Held> held;
  std::size_t arena_bytes = 0, scratch_bytes = 0;
  std::size_t tensor_bytes = 0;  ///< of all tensors that live in the arena, as if none shared memory
  std::size_t live_bytes = 0;    ///< of those that live at once, at most

  std::string str() const;  ///< what QFW_DUMP=plan shows
};

Program compile(const Graph& graph, Context& context, Communicator& replicas);

}  // namespace qfw::cuda

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"
#include "memory_plan.h"
#include "pages.h"
#include "qfw/graph.h"

namespace qfw::cpu {

struct Session;

/// Where a tensor lives during a step.
struct Place {
  enum class Home : std::uint8_t { arena, variable, feed, fetch, constant, tensor, step };
  Home home = Home::arena;
  int index = 0;           ///< of the variable, feed, fetch or constant tensor
  std::size_t offset = 0;  ///< in the arena or among the constants

  bool operator==(const Place&) const = default;
  std::string str() const;
};

struct Instruction {
  std::unique_ptr<Kernel> kernel;
  std::vector<Place> inputs, outputs;
  std::string label;  ///< for people: the nodes and the layer
};

/// A graph as a list of kernels and the places of their operands.
struct Program {
  std::vector<Instruction> instructions;
  std::vector<int> variables_read;  ///< indices into Graph::variables
  std::vector<int> variables_written;
  Pages constants;
  std::vector<ConstantTensor> tensors;  ///< shared with the graph: never copied
  std::size_t arena_bytes = 0;
  std::size_t tensor_bytes = 0;  ///< of all tensors that live in the arena, as if none shared memory

  std::string str() const;  ///< what QFW_DUMP=plan shows
};

Program lower(const Graph& graph, Session& session, Communicator& replicas);

}  // namespace qfw::cpu

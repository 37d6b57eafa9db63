#pragma once

#include <span>
#include <vector>

#include "program.h"
#include "qfw/backend.h"

namespace qfw::cpu {

/// A program and all it takes to be run, in its context's arena and with its context's threads. None of it allocates once made.
class LoadedProgram {
 public:
  LoadedProgram(const Graph& graph, Context& context, Communicator& replicas);

  const Program& program() const { return program_; }
  const std::vector<lowering::Variables::Entry*>& read() const { return read_; }  ///< the variables that it reads

  /// Of types that were checked, as those of the graph's inputs and fetches.
  void run(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches);
  /// The same, noting for each instruction when it ran.
  void run(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches,
           std::span<Executable::Interval> intervals);

  std::vector<Executable::Task> tasks() const;

 private:
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
  };

  void point(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches);
  std::byte* resolve(const lowering::Place& place, std::span<const HostView> feeds, std::span<const HostTensor> fetches);
  void mark_written();

  Context& context_;
  std::vector<lowering::Variables::Entry*> variables_, read_;  ///< all of the graph's; those that the program reads
  Program program_;
  std::vector<Pointers> pointers_;  ///< of each instruction
  float step_ = 0;
};

}  // namespace qfw::cpu

#include "loaded_program.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "qfw/lowering/dump.h"

namespace qfw::cpu {

LoadedProgram::LoadedProgram(const Graph& graph, Context& context, Communicator& replicas) : context_(context) {
  variables_ = context.variables.declare(graph.variables);
  program_ = cpu::compile(graph, context, replicas);
  for (const int variable : program_.variables_read) read_.push_back(variables_[variable]);
  context.reserve_arena(program_.arena_bytes);
  for (const Instruction& instruction : program_.instructions) {
    pointers_.push_back({std::vector<const void*>(instruction.inputs.size()), std::vector<void*>(instruction.outputs.size())});
  }
}

void LoadedProgram::run(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  point(step, feeds, fetches);
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    program_.instructions[i].kernel->run(step, pointers_[i].inputs, pointers_[i].outputs);
  }
  mark_written();
}

void LoadedProgram::run(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches,
                        std::span<Executable::Interval> intervals) {
  using Clock = std::chrono::steady_clock;
  point(step, feeds, fetches);
  Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    program_.instructions[i].kernel->run(step, pointers_[i].inputs, pointers_[i].outputs);
    const Clock::time_point end = Clock::now();
    intervals[i] = {begin, end};
    begin = end;
  }
  mark_written();
}

std::vector<Executable::Task> LoadedProgram::tasks() const {
  std::vector<Executable::Task> tasks;
  tasks.reserve(program_.instructions.size());
  for (const Instruction& instruction : program_.instructions) {
    Executable::Task& task = tasks.emplace_back(instruction.task);
    task.kind = instruction.kernel->kind();
    task.implementation = instruction.kernel->implementation();
  }
  return tasks;
}

void LoadedProgram::point(Executable::Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  step_ = static_cast<float>(step.index);
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    const Instruction& instruction = program_.instructions[i];
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
      pointers_[i].inputs[k] = resolve(instruction.inputs[k], feeds, fetches);
    }
    for (std::size_t k = 0; k < instruction.outputs.size(); ++k) {
      pointers_[i].outputs[k] = resolve(instruction.outputs[k], feeds, fetches);
    }
  }
}

void LoadedProgram::mark_written() {
  for (const int variable : program_.variables_written) variables_[variable]->written = true;
}

std::byte* LoadedProgram::resolve(const lowering::Place& place, std::span<const HostView> feeds,
                                  std::span<const HostTensor> fetches) {
  switch (place.home) {
    case lowering::Place::Home::arena:
      return context_.arena.data() + place.offset;
    case lowering::Place::Home::variable:
      return variables_[place.index]->data;
    case lowering::Place::Home::feed:
      return const_cast<std::byte*>(feeds[place.index].bytes.data());  // an input only: never written
    case lowering::Place::Home::fetch:
      return fetches[place.index].bytes.data();
    case lowering::Place::Home::constant:
      return program_.constants.data() + place.offset;
    case lowering::Place::Home::tensor:
      return const_cast<std::byte*>(program_.tensors[place.index].bytes->data());  // likewise
    case lowering::Place::Home::step:
      return reinterpret_cast<std::byte*>(&step_);
  }
  return nullptr;
}

}  // namespace qfw::cpu

#include "executable.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "qfw/lowering/dump.h"
#include "threads.h"

namespace qfw::cpu {

CpuExecutable::CpuExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas)
    : context_(std::move(context)), exchange_(graph, "cpu") {
  const ThreadScope scope(context_->threads);
  variables_ = context_->variables.declare(graph.variables);
  program_ = cpu::compile(graph, *context_, replicas);
  for (const int variable : program_.variables_read) read_.push_back(variables_[variable]);
  context_->reserve_arena(program_.arena_bytes);

  for (const Instruction& instruction : program_.instructions) {
    pointers_.push_back({std::vector<const void*>(instruction.inputs.size()), std::vector<void*>(instruction.outputs.size())});
  }
  intervals_.resize(pointers_.size());
  if (lowering::is_dumped("plan")) {
    std::clog << fmt::format("==== cpu plan ({})\n{}", graph.training ? "training" : "evaluation", program_.str());
  }
}

void CpuExecutable::run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  exchange_.check(feeds, fetches);
  lowering::require_written(read_);
  step_ = static_cast<float>(step.index);
  const std::vector<Instruction>& instructions = program_.instructions;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    for (std::size_t k = 0; k < instructions[i].inputs.size(); ++k) {
      pointers_[i].inputs[k] = resolve(instructions[i].inputs[k], feeds, fetches);
    }
    for (std::size_t k = 0; k < instructions[i].outputs.size(); ++k) {
      pointers_[i].outputs[k] = resolve(instructions[i].outputs[k], feeds, fetches);
    }
  }

  const ThreadScope scope(context_->threads);
  profiled_ = false;
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin = profile_ ? Clock::now() : Clock::time_point{};
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    instructions[i].kernel->run(step, pointers_[i].inputs, pointers_[i].outputs);
    if (!profile_) continue;
    const Clock::time_point end = Clock::now();
    intervals_[i] = {begin, end};
    begin = end;
  }
  profiled_ = profile_;
  for (const int variable : program_.variables_written) variables_[variable]->written = true;
}

void CpuExecutable::profile(bool on) { profile_ = on; }

std::vector<Executable::Task> CpuExecutable::tasks() const {
  std::vector<Task> tasks;
  tasks.reserve(program_.instructions.size());
  for (const Instruction& instruction : program_.instructions) {
    Task& task = tasks.emplace_back(instruction.task);
    task.kind = instruction.kernel->kind();
    task.implementation = instruction.kernel->implementation();
  }
  return tasks;
}

std::span<const Executable::Interval> CpuExecutable::intervals() const {
  return profiled_ ? std::span<const Interval>(intervals_) : std::span<const Interval>();
}

std::int64_t CpuExecutable::arena_bytes() const { return static_cast<std::int64_t>(program_.arena_bytes); }

std::byte* CpuExecutable::resolve(const lowering::Place& place, std::span<const HostView> feeds,
                                  std::span<const HostTensor> fetches) {
  switch (place.home) {
    case lowering::Place::Home::arena:
      return context_->arena.data() + place.offset;
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

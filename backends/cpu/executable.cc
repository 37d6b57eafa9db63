#include "executable.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

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
    const std::string_view kind = instruction.kernel->kind();
    const auto found =
        std::find_if(timings_.begin(), timings_.end(), [&](const Timing& timing) { return timing.kind == kind; });
    timing_of_.push_back(static_cast<int>(found - timings_.begin()));
    if (found == timings_.end()) timings_.push_back({.kind = std::string(kind)});
  }
  const char* wanted = std::getenv("QFW_DUMP");
  if (wanted != nullptr && std::string_view(wanted).find("plan") != std::string_view::npos) {
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
  using Clock = std::chrono::steady_clock;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const Clock::time_point start = profile_ ? Clock::now() : Clock::time_point{};
    instructions[i].kernel->run(step, pointers_[i].inputs, pointers_[i].outputs);
    if (!profile_) continue;
    Timing& timing = timings_[timing_of_[i]];
    timing.milliseconds += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    ++timing.calls;
  }
  for (const int variable : program_.variables_written) variables_[variable]->written = true;
}

void CpuExecutable::profile(bool on) {
  if (on) {
    for (Timing& timing : timings_) timing.milliseconds = 0, timing.calls = 0;
  }
  profile_ = on;
}

std::vector<Executable::Timing> CpuExecutable::timings() const {
  std::vector<Timing> sorted = timings_;
  std::erase_if(sorted, [](const Timing& timing) { return timing.calls == 0; });
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Timing& a, const Timing& b) { return a.milliseconds > b.milliseconds; });
  return sorted;
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

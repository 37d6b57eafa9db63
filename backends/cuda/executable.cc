#include "executable.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <iostream>

#include "qfw/error.h"
#include "qfw/lowering/dump.h"

namespace qfw::cuda {

CudaExecutable::CudaExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas)
    : context_(std::move(context)), exchange_(graph, "cuda"), variables_(context_->variables().declare(graph.variables)) {
  program_ = cuda::compile(graph, *context_, replicas);
  for (const int variable : program_.variables_read) read_.push_back(variables_[static_cast<std::size_t>(variable)]);
  context_->reserve(program_.arena_bytes, program_.scratch_bytes);
  std::vector<TensorType> feeds, fetches;
  for (const Input& input : graph.inputs) feeds.push_back(input.type);
  for (const Fetch& fetch : graph.fetches) fetches.push_back(graph.type(fetch.use));
  feeds_.bytes = target().aligned(sizeof(StepData));
  lay_out(feeds_, feeds);
  lay_out(fetches_, fetches);
  std::vector<std::size_t> sizes;
  for (const TensorType& type : feeds) sizes.push_back(type.bytes());
  upcoming_ = std::make_unique<Upcoming>(context_->device(), std::move(sizes));
  for (const Instruction& instruction : program_.instructions) {
    pointers_.push_back(
        {std::vector<const std::byte*>(instruction.inputs.size()), std::vector<Address>(instruction.outputs.size())});
  }
  intervals_.resize(program_.instructions.size());
  if (lowering::is_dumped("plan")) {
    std::clog << fmt::format("==== cuda plan ({})\n{}", graph.training ? "training" : "evaluation", program_.str());
  }
}

void CudaExecutable::lay_out(Exchanged& to, std::span<const TensorType> types) {
  for (const TensorType& type : types) {
    to.offsets.push_back(to.bytes);
    to.bytes = target().aligned(to.bytes + type.bytes());
  }
  to.host = HostMemory(context_->device(), to.bytes);
  to.device = DeviceMemory(context_->device(), to.bytes);
}

/// Whatever has host work between it is recorded by itself. Whether reductions are such is known when all replicas run.
void CudaExecutable::divide() {
  if (!segments_.empty()) return;
  for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
    const bool on_host = program_.instructions[i].kernel->on_host();
    if (segments_.empty() || on_host || segments_.back().on_host) segments_.push_back({.first = i, .on_host = on_host});
    segments_.back().end = i + 1;
  }
}

Address CudaExecutable::resolve(const lowering::Place& place) const {
  const auto index = static_cast<std::size_t>(place.index);
  switch (place.home) {
    case lowering::Place::Home::arena:
      return context_->arena() + place.offset;
    case lowering::Place::Home::variable:
      return variables_[index]->data;
    case lowering::Place::Home::feed:
      return feeds_.device.data() + feeds_.offsets[index];
    case lowering::Place::Home::fetch:
      return fetches_.device.data() + fetches_.offsets[index];
    case lowering::Place::Home::constant:
      return program_.constants.data() + place.offset;
    case lowering::Place::Home::tensor:
      return program_.tensors[index]->data();
    case lowering::Place::Home::step:
      return context_->step() + offsetof(StepData, value);
  }
  return nullptr;
}

/// Takes addresses anew where the context moved what lies there; what was recorded with the old ones is void.
void CudaExecutable::point() {
  if (generation_ == context_->generation()) return;
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    const Instruction& instruction = program_.instructions[i];
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k) pointers_[i].inputs[k] = resolve(instruction.inputs[k]);
    for (std::size_t k = 0; k < instruction.outputs.size(); ++k) pointers_[i].outputs[k] = resolve(instruction.outputs[k]);
  }
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    program_.instructions[i].kernel->point(pointers_[i].inputs, pointers_[i].outputs, context_->scratch());
  }
  for (Segment& segment : segments_) segment.recording.reset();
  generation_ = context_->generation();
}

void CudaExecutable::copy_in(Step step, std::span<const HostView> feeds) {
  const StepData data{step.seed, step.index, static_cast<float>(step.index)};
  std::memcpy(feeds_.host.data(), &data, sizeof data);
  Device& device = context_->device();
  device.copy_in(Stream::compute, context_->step(), feeds_.host.data(), sizeof data);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const std::span<const std::byte> bytes = feeds[i].bytes;
    const Address to = feeds_.device.data() + feeds_.offsets[i];
    if (upcoming_->take(i, bytes.data(), to)) continue;
    std::byte* const host = feeds_.host.data() + feeds_.offsets[i];
    std::memcpy(host, bytes.data(), bytes.size());
    device.copy_in(Stream::compute, to, host, bytes.size());
  }
  upcoming_->done_taking();
}

void CudaExecutable::prefetch(std::span<const HostView> feeds) {
  exchange_.check_known(feeds);
  upcoming_->expect(feeds);
}

void CudaExecutable::run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  exchange_.check(feeds, fetches);
  lowering::require_written(read_);
  Device& device = context_->device();
  divide();
  point();
  profiled_ = false;
  copy_in(step, feeds);
  if (profile_) {
    run_profiled();
  } else {
    run_recorded();
  }
  if (fetches_.bytes > 0) device.copy_out(Stream::compute, fetches_.host.data(), fetches_.device.data(), fetches_.bytes);
  upcoming_->send();
  device.synchronize(Stream::compute);
  for (std::size_t i = 0; i < fetches.size(); ++i) {
    std::memcpy(fetches[i].bytes.data(), fetches_.host.data() + fetches_.offsets[i], fetches[i].bytes.size());
  }
  for (const int variable : program_.variables_written) variables_[static_cast<std::size_t>(variable)]->written = true;
}

void CudaExecutable::enqueue(std::size_t i) try {
  program_.instructions[i].kernel->enqueue(pointers_[i].inputs, pointers_[i].outputs, context_->scratch());
} catch (...) {
  rethrow_for(i);
}

/// What just went wrong, with the layer.
void CudaExecutable::rethrow_for(std::size_t instruction) try { throw; } catch (const Error& error) {
  throw Error(error.category(), fmt::format("{} ({})", error.what(), program_.instructions[instruction].label));
}

void CudaExecutable::run_recorded() {
  Device& device = context_->device();
  for (Segment& segment : segments_) {
    const auto enqueue_all = [&] {
      for (std::size_t i = segment.first; i < segment.end; ++i) enqueue(i);
    };
    if (context_->launching() == Launching::checked) {
      for (std::size_t i = segment.first; i < segment.end; ++i) {
        enqueue(i);
        try {
          device.synchronize(Stream::compute);
        } catch (const Error&) {
          rethrow_for(i);
        }
      }
    } else if (segment.on_host || context_->launching() == Launching::direct) {
      enqueue_all();
    } else {
      if (!segment.recording) segment.recording = device.record_all(enqueue_all);
      segment.recording->replay();
    }
  }
}

void CudaExecutable::run_profiled() {
  Device& device = context_->device();
  while (events_.size() <= program_.instructions.size()) events_.push_back(device.make_event());
  device.synchronize(Stream::compute);  // feeds are not the first instruction's
  const auto begin = std::chrono::steady_clock::now();
  device.record(Stream::compute, *events_[0]);
  for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
    enqueue(i);
    device.record(Stream::compute, *events_[i + 1]);
  }
  device.synchronize(Stream::compute);
  const auto at = [&](std::size_t event) {
    return begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                       std::chrono::duration<double>(device.seconds(*events_[0], *events_[event])));
  };
  for (std::size_t i = 0; i < intervals_.size(); ++i) intervals_[i] = {at(i), at(i + 1)};
  profiled_ = true;
}

std::vector<Executable::Task> CudaExecutable::tasks() const {
  std::vector<Task> tasks;
  for (const Instruction& instruction : program_.instructions) {
    tasks.push_back(instruction.task);
    tasks.back().implementation = instruction.kernel->implementation();  // who reduces is known after the first run
  }
  return tasks;
}

std::span<const Executable::Interval> CudaExecutable::intervals() const {
  return profiled_ ? std::span<const Interval>(intervals_) : std::span<const Interval>();
}

}  // namespace qfw::cuda

#include "executable.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "qfw/lowering/dump.h"
#include "threads.h"

namespace qfw::cpu {

CpuExecutable::CpuExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas)
    : context_(std::move(context)), exchange_(graph, "cpu") {
  const ThreadScope scope(context_->threads);
  std::optional<ByImages> split = split_by_images(graph, context_->threads);
  const bool dumped = lowering::is_dumped("plan");
  const char* kind = graph.training ? "training" : "evaluation";
  if (split) {
    images_ = std::make_unique<ImagesPart>(*split, *context_, replicas);
    rest_nodes_ = std::move(split->rest_nodes);
    rest_feeds_.resize(graph.inputs.size() + images_->results().size());
    std::ranges::copy(images_->results(), rest_feeds_.begin() + static_cast<std::ptrdiff_t>(graph.inputs.size()));
    if (dumped) {
      std::clog << fmt::format("==== cpu plan ({}, {} of {} images at a time)\n{}", kind, split->at_once, split->images,
                               images_->program().str());
    }
  }
  rest_ = std::make_unique<LoadedProgram>(split ? split->rest : graph, *context_, replicas);
  intervals_.resize(first_tasks() + rest_->program().instructions.size());
  if (dumped) std::clog << fmt::format("==== cpu plan ({})\n{}", kind, rest_->program().str());
}

void CpuExecutable::run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  exchange_.check(feeds, fetches);
  lowering::require_written(rest_->read());
  const ThreadScope scope(context_->threads);
  profiled_ = false;
  const std::span<Interval> intervals(intervals_);
  std::span<const HostView> given = feeds;
  if (images_) {
    images_->run(step, feeds, profile_ ? intervals.first(first_tasks()) : std::span<Interval>());
    std::ranges::copy(feeds, rest_feeds_.begin());
    given = rest_feeds_;
  }
  if (profile_) {
    rest_->run(step, given, fetches, intervals.subspan(first_tasks()));
  } else {
    rest_->run(step, given, fetches);
  }
  profiled_ = profile_;
}

void CpuExecutable::profile(bool on) { profile_ = on; }

std::vector<Executable::Task> CpuExecutable::tasks() const {
  if (!images_) return rest_->tasks();
  std::vector<Task> tasks = images_->tasks();
  for (Task& task : rest_->tasks()) {
    for (int& node : task.nodes) node = rest_nodes_[static_cast<std::size_t>(node)];
    std::ranges::sort(task.nodes);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::span<const Executable::Interval> CpuExecutable::intervals() const {
  return profiled_ ? std::span<const Interval>(intervals_) : std::span<const Interval>();
}

std::int64_t CpuExecutable::arena_bytes() const {
  return static_cast<std::int64_t>(rest_->program().arena_bytes) + (images_ ? images_->bytes() : 0);
}

/// Of what is held for a few images at a time nothing is told: it is there once for each thread, many times in a run.
std::vector<Executable::Held> CpuExecutable::held() const {
  std::vector<Held> held = rest_->program().held;
  if (!images_) return held;
  const int before = static_cast<int>(first_tasks());
  for (Held& tensor : held) {
    tensor.use.node = rest_nodes_[static_cast<std::size_t>(tensor.use.node)];
    tensor.first += before;
    tensor.last += before;
  }
  return held;
}

}  // namespace qfw::cpu

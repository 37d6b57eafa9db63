#include "qfw/lowering/tasks.h"

#include <algorithm>

namespace qfw::lowering {
namespace {

std::vector<int> nodes_of(const Step& step) {
  std::vector<int> nodes;
  switch (step.kind) {
    case Step::Kind::node:
      return {step.node};
    case Step::Kind::group:
      nodes = step.group->nodes;
      if (step.node >= 0) nodes.push_back(step.node);
      break;
    case Step::Kind::reduce_start:
    case Step::Kind::reduce_wait:
      for (const Use use : step.uses) nodes.push_back(use.node);
      break;
    case Step::Kind::fetch:
    case Step::Kind::save:
    case Step::Kind::store:
      break;
  }
  std::ranges::sort(nodes);
  return nodes;
}

std::int64_t bytes_of(const Graph& graph, const StepList& list, const Step& step) {
  if (step.kind == Step::Kind::reduce_wait) return 0;
  std::int64_t bytes = 0;
  const auto add = [&](std::vector<int> values) {
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (const int value : values) {
      const int node = list.node_of[value];
      if (node >= 0) bytes += static_cast<std::int64_t>(graph.nodes[node].outputs[value - list.first_value[node]].bytes());
    }
  };
  add(step.reads);
  add(step.writes);
  const bool copies = step.kind == Step::Kind::fetch || step.kind == Step::Kind::save || step.kind == Step::Kind::store;
  return copies ? 2 * bytes : bytes;  // to where no value of the list lies
}

}  // namespace

std::vector<Executable::Task> tasks_of(const Graph& graph, const StepList& list, const Plan& plan) {
  std::vector<Executable::Task> tasks;
  tasks.reserve(plan.steps.size());
  for (const Plan::Placed& placed : plan.steps) {
    const Step& step = list.steps[placed.step];
    tasks.push_back({.kind = {}, .implementation = {}, .nodes = nodes_of(step), .bytes = bytes_of(graph, list, step)});
  }
  return tasks;
}

}  // namespace qfw::lowering

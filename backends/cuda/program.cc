#include "program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>

#include "make_kernel.h"
#include "qfw/lowering/constants.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/tasks.h"

namespace qfw::cuda {

Program compile(const Graph& graph, Context& context, Communicator& replicas) {
  const lowering::StepList list = lowering::list_steps(graph, target(), replicas.size() == 1);
  if (lowering::is_dumped("groups")) {
    std::clog << fmt::format("==== cuda groups ({})\n{}", graph.training ? "training" : "evaluation",
                             lowering::groups_text(graph, list));
  }
  std::vector<std::unique_ptr<Kernel>> kernels = make_kernels(graph, list, context, replicas);
  context.loader().load();
  const lowering::Plan plan = lowering::place(
      graph, list, target(), [&](int step, int input, int output) { return kernels[step]->in_place(input, output); });

  Program program{.instructions = {},
                  .variables_read = plan.variables_read,
                  .variables_written = plan.variables_written,
                  .constants = DeviceMemory(context.device(), plan.constant_bytes),
                  .tensors = {},
                  .held = {},
                  .arena_bytes = plan.arena_bytes,
                  .tensor_bytes = plan.tensor_bytes,
                  .live_bytes = plan.live_bytes};
  for (const lowering::Plan::Held& tensor : plan.held) {
    program.held.push_back({tensor.use, static_cast<std::int64_t>(tensor.bytes), tensor.first, tensor.last});
  }
  std::vector<std::byte> constants(plan.constant_bytes);
  for (const auto& [node, offset] : plan.constants) {
    lowering::fill_constant(graph.nodes[node].outputs[0], graph.nodes[node].as<Number>().value, constants.data() + offset);
  }
  if (!constants.empty()) context.write(program.constants.data(), constants);
  for (const ConstantTensor& tensor : graph.tensors) program.tensors.push_back(context.tensor(tensor));
  std::vector<Executable::Task> tasks = lowering::tasks_of(graph, list, plan);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const lowering::Plan::Placed& placed = plan.steps[i];
    std::unique_ptr<Kernel>& kernel = kernels[placed.step];
    program.scratch_bytes = std::max(program.scratch_bytes, kernel->scratch_bytes());
    tasks[i].kind = kernel->kind();
    tasks[i].implementation = kernel->implementation();
    program.instructions.push_back({.kernel = std::move(kernel),
                                    .inputs = placed.inputs,
                                    .outputs = placed.outputs,
                                    .label = lowering::label_of(graph, list.steps[placed.step]),
                                    .task = std::move(tasks[i])});
  }
  return program;
}

std::string Program::str() const {
  std::string text = fmt::format(
      "{} instructions, arena {:.1f} MB for tensors of {:.1f} MB, {:.1f} MB of them at once, scratch {:.1f} MB, constants {} "
      "bytes\n",
      instructions.size(), arena_bytes / 1048576.0, tensor_bytes / 1048576.0, live_bytes / 1048576.0, scratch_bytes / 1048576.0,
      constants.bytes());
  const auto places = [](const std::vector<lowering::Place>& list) {
    std::vector<std::string> names;
    for (const lowering::Place& place : list) names.push_back(place.str());
    return fmt::to_string(fmt::join(names, ", "));
  };
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const Instruction& it = instructions[i];
    const std::string& way = it.task.implementation;
    text += fmt::format("{:5} {}{}: {} -> {}  # {}\n", i, it.task.kind, way.empty() ? "" : " [" + way + "]", places(it.inputs),
                        places(it.outputs), it.label);
  }
  return text;
}

}  // namespace qfw::cuda

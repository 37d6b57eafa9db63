#include "program.h"

#include <fmt/format.h>

#include <iostream>

#include "codes.h"
#include "make_kernel.h"
#include "qfw/lowering/constants.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/tasks.h"

namespace qfw::cpu {

Program compile(const Graph& given, Context& context, Communicator& replicas) {
  const Graph graph = reading_codes(given, context);
  const lowering::StepList list = lowering::list_steps(graph, target(), replicas.size() == 1);
  if (lowering::is_dumped("groups")) {
    std::clog << fmt::format("==== cpu groups ({})\n{}", graph.training ? "training" : "evaluation",
                             lowering::groups_text(graph, list));
  }
  std::vector<std::unique_ptr<Kernel>> kernels = make_kernels(graph, list, context, replicas);
  const lowering::Plan plan = lowering::place(
      graph, list, target(), [&](int step, int input, int output) { return kernels[step]->in_place(input, output); });

  Program program{.variables_read = plan.variables_read,
                  .variables_written = plan.variables_written,
                  .constants = Pages(plan.constant_bytes),
                  .tensors = graph.tensors,
                  .held = {},
                  .arena_bytes = plan.arena_bytes,
                  .tensor_bytes = plan.tensor_bytes,
                  .live_bytes = plan.live_bytes};
  for (const lowering::Plan::Held& tensor : plan.held) {
    program.held.push_back({tensor.use, static_cast<std::int64_t>(tensor.bytes), tensor.first, tensor.last});
  }
  for (const auto& [node, offset] : plan.constants) {
    const Node& constant = graph.nodes[node];
    lowering::fill_constant(constant.outputs[0], constant.as<Number>().value, program.constants.data() + offset);
  }
  std::vector<Executable::Task> tasks = lowering::tasks_of(graph, list, plan);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const lowering::Plan::Placed& placed = plan.steps[i];
    program.instructions.push_back({.kernel = std::move(kernels[placed.step]),
                                    .inputs = placed.inputs,
                                    .outputs = placed.outputs,
                                    .label = lowering::label_of(graph, list.steps[placed.step]),
                                    .task = std::move(tasks[i])});
  }
  return program;
}

std::string Program::str() const {
  std::string text = fmt::format(
      "{} instructions, arena {:.1f} MB for tensors of {:.1f} MB, {:.1f} MB of them at once, constants {} bytes\n",
      instructions.size(), arena_bytes / 1048576.0, tensor_bytes / 1048576.0, live_bytes / 1048576.0, constants.bytes());
  const auto places = [](const std::vector<lowering::Place>& list) {
    std::string joined;
    for (const lowering::Place& place : list) joined += (joined.empty() ? "" : ", ") + place.str();
    return joined;
  };
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const Instruction& it = instructions[i];
    const std::string way = it.kernel->implementation();
    text += fmt::format("{:5} {}{}: {} -> {}  # {}\n", i, it.kernel->kind(), way.empty() ? "" : " [" + way + "]",
                        places(it.inputs), places(it.outputs), it.label);
  }
  return text;
}

}  // namespace qfw::cpu

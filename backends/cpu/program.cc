#include "program.h"

#include <fmt/format.h>

#include <iostream>

#include "codes.h"
#include "make_kernel.h"
#include "qfw/lowering/dump.h"

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
                  .arena_bytes = plan.arena_bytes,
                  .tensor_bytes = plan.tensor_bytes};
  for (const auto& [node, offset] : plan.constants) {
    const Node& constant = graph.nodes[node];
    fill_constant(constant.outputs[0], constant.as<Number>().value, program.constants.data() + offset);
  }
  for (const lowering::Plan::Placed& placed : plan.steps) {
    program.instructions.push_back({.kernel = std::move(kernels[placed.step]),
                                    .inputs = placed.inputs,
                                    .outputs = placed.outputs,
                                    .label = lowering::label_of(graph, list.steps[placed.step])});
  }
  return program;
}

std::string Program::str() const {
  std::string text = fmt::format("{} instructions, arena {:.1f} MB for tensors of {:.1f} MB, constants {} bytes\n",
                                 instructions.size(), arena_bytes / 1048576.0, tensor_bytes / 1048576.0, constants.bytes());
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

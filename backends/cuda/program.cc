#include "program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "group_kernel.h"
#include "groups_kernel.h"
#include "joined_steps.h"
#include "make_kernel.h"
#include "qfw/lowering/constants.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/tasks.h"

namespace qfw::cuda {
namespace {

/// Of each kernel: what it has in common with those that may be launched with it; empty: nothing.
std::vector<std::string> codes_of(const std::vector<std::unique_ptr<Kernel>>& kernels) {
  std::vector<std::string> codes;
  for (const auto& kernel : kernels) {
    const auto* group = dynamic_cast<const GroupKernel*>(kernel.get());
    codes.push_back(group == nullptr ? std::string() : group->code().names());
  }
  return codes;
}

/// One for each step of the list.
std::vector<std::unique_ptr<Kernel>> join(std::vector<std::unique_ptr<Kernel>> each, const JoinedSteps& joined,
                                          Context& context) {
  std::vector<std::unique_ptr<Kernel>> kernels;
  for (const std::vector<JoinedSteps::Member>& members : joined.members) {
    if (members.size() == 1) {
      kernels.push_back(std::move(each[members.front().step]));
      continue;
    }
    std::vector<GroupCode> codes;
    for (const JoinedSteps::Member& member : members) {
      codes.push_back(dynamic_cast<GroupKernel&>(*each[member.step]).release());
    }
    kernels.push_back(make_groups(std::move(codes), context));
  }
  return kernels;
}

/// Copies to variables, at the end of a program: those of the same code become one. Where one reads what another writes they
/// stay as they are.
void join_stores(const Graph& graph, const lowering::StepList& list, const lowering::Plan& plan, Program& program,
                 Context& context) {
  std::vector<Instruction>& all = program.instructions;
  std::size_t begin = all.size();
  while (begin > 0 && list.steps[plan.steps[begin - 1].step].kind == lowering::Step::Kind::store) --begin;
  for (std::size_t i = begin; i < all.size(); ++i) {
    for (std::size_t k = begin; k < all.size(); ++k) {
      if (i != k && all[i].inputs == all[k].outputs) return;
    }
  }
  std::vector<std::pair<std::string, std::vector<int>>> classes;  // in the order of their first copies
  const auto type_of = [&](int i) { return graph.type(graph.updates[list.steps[plan.steps[i].step].index].second); };
  for (int i = static_cast<int>(begin); i < static_cast<int>(all.size()); ++i) {
    const std::string code = copy_code(type_of(i)).names();
    const auto known = std::ranges::find(classes, code, &std::pair<std::string, std::vector<int>>::first);
    (known == classes.end() ? classes.emplace_back(code, std::vector<int>()) : *known).second.push_back(i);
  }
  std::vector<Instruction> joined;
  std::vector<int> position(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) position[i] = static_cast<int>(i);
  for (const auto& [code, members] : classes) {
    Instruction one = std::move(all[members.front()]);
    std::vector<GroupCode> codes{copy_code(type_of(members.front()))};
    for (const int i : members) {
      position[i] = static_cast<int>(begin + joined.size());
      if (i == members.front()) continue;
      codes.push_back(copy_code(type_of(i)));
      one.inputs.push_back(all[i].inputs.front());
      one.outputs.push_back(all[i].outputs.front());
      one.task.bytes += all[i].task.bytes;
    }
    if (members.size() > 1) {
      one.kernel = make_groups(std::move(codes), context);
      one.task.implementation = one.kernel->implementation();
      one.label += fmt::format(" and {} more", members.size() - 1);
    }
    joined.push_back(std::move(one));
  }
  all.resize(begin);
  std::ranges::move(joined, std::back_inserter(all));
  for (Executable::Held& tensor : program.held) {
    tensor.first = position[tensor.first];
    tensor.last = position[tensor.last];
  }
}

}  // namespace

Program compile(const Graph& graph, Context& context, Communicator& replicas) {
  lowering::StepList listed = lowering::list_steps(graph, target(), replicas.size() == 1);
  if (lowering::is_dumped("groups")) {
    std::clog << fmt::format("==== cuda groups ({})\n{}", graph.training ? "training" : "evaluation",
                             lowering::groups_text(graph, listed));
  }
  std::vector<std::unique_ptr<Kernel>> each = make_kernels(graph, listed, context, replicas);
  const JoinedSteps joined = join_steps(graph, std::move(listed), codes_of(each), target());
  const lowering::StepList& list = joined.list;
  std::vector<std::unique_ptr<Kernel>> kernels = join(std::move(each), joined, context);
  const lowering::Plan plan = lowering::place(
      graph, list, target(), [&](int step, int input, int output) { return kernels[step]->in_place(input, output); });
  require_apart(graph, joined, plan);

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
                                    .label = joined.labels[placed.step],
                                    .task = std::move(tasks[i])});
  }
  join_stores(graph, list, plan, program, context);
  context.loader().load();
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

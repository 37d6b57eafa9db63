#include "group_kernel.h"

#include <algorithm>

#include "groups_kernel.h"
#include "launch.h"

namespace qfw::cuda {

GroupCode::GroupCode(lowering::FusedProgram of, std::vector<DType> in, std::vector<DType> out)
    : program(std::move(of)), inputs(std::move(in)), outputs(std::move(out)), emitted(emit(program, inputs, outputs)) {}

std::string GroupCode::names() const {
  std::string names;
  for (const EmittedLaunch& launch : emitted.launches) names += launch.source.name + " ";
  return names;
}

GroupKernel::GroupKernel(GroupCode code, Context& context) : code_(std::move(code)), device_(context.device()) {
  for (EmittedLaunch& launch : code_.emitted.launches) {
    functions_.push_back(context.loader().ask(launch.source));
    launch.source.text.clear();  // the loader has it
  }
  operands_.resize(code_.inputs.size() + code_.outputs.size() + 1);
  arguments_.resize(operands_.size() + 1);
  for (std::size_t i = 0; i < operands_.size(); ++i) arguments_[i] = &operands_[i];
}

void GroupKernel::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) {
  auto next = std::ranges::copy(inputs, operands_.begin()).out;
  next = std::ranges::copy(outputs, next).out;
  *next = scratch;
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    EmittedLaunch& launch = code_.emitted.launches[i];
    arguments_.back() = launch.extents.data();
    device_.launch(Stream::compute, **functions_[i], launch.shape, arguments_);
  }
}

std::unique_ptr<Kernel> make_group(const Graph& graph, const lowering::Group& group, Context& context) {
  const auto types = [&](const std::vector<Use>& uses) {
    std::vector<DType> types;
    for (const Use use : uses) types.push_back(graph.type(use).dtype);
    return types;
  };
  GroupCode code(lowering::program_of(graph, group), types(group.inputs), types(group.outputs));
  const std::size_t pointers = code.inputs.size() + code.outputs.size() + 1;
  const bool fits = std::ranges::all_of(code.emitted.launches, [&](const EmittedLaunch& launch) {
    return (pointers + launch.extents.size()) * sizeof(std::int64_t) <= most_parameter_bytes;
  });
  if (fits) return std::make_unique<GroupKernel>(std::move(code), context);
  std::vector<GroupCode> one;
  one.push_back(std::move(code));
  return make_groups(std::move(one), context);
}

}  // namespace qfw::cuda

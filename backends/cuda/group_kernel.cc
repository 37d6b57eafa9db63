#include "group_kernel.h"

#include "emit.h"

namespace qfw::cuda {
namespace {

class GroupKernel final : public Kernel {
 public:
  GroupKernel(lowering::FusedProgram program, std::span<const DType> inputs, std::span<const DType> outputs, Context& context)
      : program_(std::move(program)), device_(context.device()) {
    EmittedGroup emitted = emit(program_, inputs, outputs);
    scratch_bytes_ = emitted.scratch_bytes;
    description_ = std::move(emitted.describe);
    for (EmittedLaunch& launch : emitted.launches) {
      launches_.push_back({context.loader().ask(std::move(launch.source)), launch.shape, std::move(launch.extents)});
    }
    operands_.resize(inputs.size() + outputs.size() + 1);
    arguments_.resize(operands_.size() + 1);
    for (std::size_t i = 0; i < operands_.size(); ++i) arguments_[i] = &operands_[i];
  }

  const char* kind() const override { return program_.reductions.empty() ? "fused elementwise" : "fused reduction"; }
  std::string implementation() const override { return description_; }
  bool in_place(int input, int output) const override { return may_overwrite(program_, input, output); }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    auto next = std::ranges::copy(inputs, operands_.begin()).out;
    next = std::ranges::copy(outputs, next).out;
    *next = scratch;
    for (Launch& launch : launches_) {
      arguments_.back() = launch.extents.data();
      device_.launch(Stream::compute, **launch.function, launch.shape, arguments_);
    }
  }

 private:
  struct Launch {
    Loader::Handle function;
    LaunchShape shape;
    std::vector<std::int64_t> extents;
  };

  lowering::FusedProgram program_;
  Device& device_;
  std::string description_;
  std::size_t scratch_bytes_ = 0;
  std::vector<Launch> launches_;
  std::vector<const std::byte*> operands_;
  std::vector<void*> arguments_;
};

}  // namespace

std::unique_ptr<Kernel> make_group(const Graph& graph, const lowering::Group& group, Context& context) {
  const auto types = [&](const std::vector<Use>& uses) {
    std::vector<DType> types;
    for (const Use use : uses) types.push_back(graph.type(use).dtype);
    return types;
  };
  return std::make_unique<GroupKernel>(lowering::program_of(graph, group), types(group.inputs), types(group.outputs), context);
}

}  // namespace qfw::cuda

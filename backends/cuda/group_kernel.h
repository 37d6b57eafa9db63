#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "context.h"
#include "emit.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"

namespace qfw::cuda {

/// A fused group, and the code that emit() makes of it.
struct GroupCode {
  GroupCode(lowering::FusedProgram of, std::vector<DType> in, std::vector<DType> out);

  /// The names of its kernels: equal where groups differ in nothing but extents.
  std::string names() const;
  const char* kind() const { return program.reductions.empty() ? "fused elementwise" : "fused reduction"; }

  lowering::FusedProgram program;
  std::vector<DType> inputs, outputs;
  EmittedGroup emitted;
};

/// A fused group that is launched by itself.
class GroupKernel final : public Kernel {
 public:
  GroupKernel(GroupCode code, Context& context);

  const char* kind() const override { return code_.kind(); }
  std::string implementation() const override { return code_.emitted.describe; }
  bool in_place(int input, int output) const override { return may_overwrite(code_.program, input, output); }
  std::size_t scratch_bytes() const override { return code_.emitted.scratch_bytes; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

  const GroupCode& code() const { return code_; }
  /// For what is made of it instead; its own functions are not asked for any longer once it is gone.
  GroupCode release() { return std::move(code_); }

 private:
  GroupCode code_;
  Device& device_;
  std::vector<Loader::Handle> functions_;  ///< of each launch
  std::vector<const std::byte*> operands_;
  std::vector<void*> arguments_;
};

/// A group by itself, as a GroupKernel; one that has more operands and extents than a kernel may have parameters reads them
/// from a table (groups_kernel.h).
std::unique_ptr<Kernel> make_group(const Graph& graph, const lowering::Group& group, Context& context);

}  // namespace qfw::cuda

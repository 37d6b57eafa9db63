#include "groups_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "code/arguments.cuh"
#include "launch.h"

namespace qfw::cuda {
namespace {

class GroupsKernel final : public Kernel {
 public:
  GroupsKernel(std::vector<GroupCode> members, Context& context) : members_(std::move(members)), context_(context) {
    const GroupCode& first = members_.front();
    for (const GroupCode& member : members_) {
      scratch_at_.push_back(scratch_bytes_);
      scratch_bytes_ += target().aligned(member.emitted.scratch_bytes);
    }
    EmittedGroup together = emit(first.program, first.inputs, first.outputs, Form::together);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < together.launches.size(); ++i) {
      launches_.push_back(lay_out(i, bytes));
      launches_.back().function = context.loader().ask(std::move(together.launches[i].source));
    }
    tables_ = DeviceMemory(context.device(), bytes);
  }

  const char* kind() const override { return members_.front().kind(); }
  std::string implementation() const override {
    const std::string& first = members_.front().emitted.describe;
    if (members_.size() == 1) return "operands in a table; " + first;
    unsigned blocks = 0;
    for (const Launch& launch : launches_) blocks += launch.shape.grid[0] * launch.shape.grid[1];
    return fmt::format("{} groups at once, {} blocks; the first: {}", members_.size(), blocks, first);
  }
  bool in_place(int input, int output) const override {
    for (const GroupCode& member : members_) {
      const int inputs = static_cast<int>(member.inputs.size()), outputs = static_cast<int>(member.outputs.size());
      if (input < inputs && output < outputs) return may_overwrite(member.program, input, output);
      if (input < inputs || output < outputs) return false;  // of different members
      input -= inputs;
      output -= outputs;
    }
    return false;
  }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void point(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    std::vector<std::byte> tables(tables_.bytes());
    for (std::size_t i = 0; i < launches_.size(); ++i) {
      const auto of = [&](std::size_t m) -> const EmittedLaunch& { return members_[m].emitted.launches[i]; };
      std::byte* block = tables.data() + launches_[i].blocks_at;
      std::byte* word = tables.data() + launches_[i].records_at;
      const auto put = [&](std::int64_t value) {
        std::memcpy(word, &value, sizeof value);
        word += sizeof value;
      };
      const auto put_address = [&](const std::byte* address) {
        put(static_cast<std::int64_t>(std::bit_cast<std::uintptr_t>(address)));
      };
      std::size_t input = 0, output = 0;
      for (std::size_t m = 0; m < members_.size(); ++m) {
        for (unsigned b = 0; b < of(m).shape.grid[0]; ++b) {
          const device::MemberBlock which{static_cast<unsigned>(m), b};
          std::memcpy(block, &which, sizeof which);
          block += sizeof which;
        }
        put(of(m).shape.block[0] | static_cast<std::int64_t>(of(m).shape.block[1]) << 32);
        for (std::size_t k = 0; k < members_[m].inputs.size(); ++k) put_address(inputs[input++]);
        for (std::size_t k = 0; k < members_[m].outputs.size(); ++k) put_address(outputs[output++]);
        put_address(scratch + scratch_at_[m]);
        for (const std::int64_t extent : of(m).extents) put(extent);
      }
    }
    context_.write(tables_.data(), tables);
  }

  void enqueue(std::span<const std::byte* const>, std::span<const Address>, Address) override {
    for (const Launch& launch : launches_) {
      const std::byte *const blocks = tables_.data() + launch.blocks_at, *const records = tables_.data() + launch.records_at;
      cuda::launch(context_.device(), **launch.function, launch.shape, blocks, records);
    }
  }

 private:
  struct Launch {
    Loader::Handle function;
    LaunchShape shape;
    std::size_t blocks_at = 0, records_at = 0;  ///< in the tables
  };

  /// Its shape, and a place for its tables behind `bytes` others.
  Launch lay_out(std::size_t number, std::size_t& bytes) const {
    Launch launch;
    std::int64_t blocks = 0;
    std::size_t words = 0;
    for (const GroupCode& member : members_) {
      const EmittedLaunch& own = member.emitted.launches[number];
      blocks += own.shape.grid[0];
      words += 1 + member.inputs.size() + member.outputs.size() + 1 + own.extents.size();
      launch.shape.grid[1] = own.shape.grid[1];  // the code decides that
      launch.shape.block[0] = std::max(launch.shape.block[0], own.shape.block[0] * own.shape.block[1]);
      launch.shape.barriers = own.shape.barriers;
    }
    launch.shape.grid[0] = static_cast<unsigned>(as_int(blocks, "blocks", "groups that are launched together"));
    launch.blocks_at = bytes;
    launch.records_at = target().aligned(bytes + static_cast<std::size_t>(blocks) * sizeof(device::MemberBlock));
    bytes = target().aligned(launch.records_at + words * sizeof(std::int64_t));
    return launch;
  }

  std::vector<GroupCode> members_;
  Context& context_;
  std::vector<Launch> launches_;
  std::vector<std::size_t> scratch_at_;  ///< of each member
  std::size_t scratch_bytes_ = 0;
  DeviceMemory tables_;
};

}  // namespace

GroupCode copy_code(const TensorType& type) {
  lowering::FusedProgram program;
  program.space.extents = {type.shape.count()};
  program.values = {{.kind = lowering::FusedProgram::Value::Kind::load, .dtype = type.dtype, .load = 0}};
  program.loads = {{.input = 0, .dtype = type.dtype, .strides = {1}, .pattern = lowering::Pattern::dense}};
  program.stores = {{.output = 0, .dtype = type.dtype, .value = 0}};
  return {std::move(program), {type.dtype}, {type.dtype}};
}

std::unique_ptr<Kernel> make_groups(std::vector<GroupCode> members, Context& context) {
  return std::make_unique<GroupsKernel>(std::move(members), context);
}

}  // namespace qfw::cuda

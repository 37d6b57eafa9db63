#include "context.h"

#include "riding_kernel.h"

namespace qfw::cuda {

const lowering::Target& target() {
  // A launch costs what 8 MB of memory traffic do; arithmetic costs next to nothing beside memory.
  static const lowering::Target target{.alignment = 256,
                                       .small_count = 1 << 18,
                                       .recomputing = {.bytes_per_operation = 0.05, .bias = 1.0},
                                       .buckets = {.small_bytes = 4 << 20, .bytes = 25 << 20, .in_flight = 2},
                                       .may_anchor = may_be_ridden};
  return target;
}

Context::Context(std::unique_ptr<Device> device, Launching launching)
    : device_(std::move(device)), launching_(launching), step_(*device_, sizeof(StepData)) {
  reserve(0, 0);
}

void Context::reserve(std::size_t arena_bytes, std::size_t scratch_bytes) {
  const auto grow = [&](DeviceMemory& memory, std::size_t bytes) {
    if (memory.data() != nullptr && bytes <= memory.bytes()) return;
    memory = DeviceMemory();  // both at once might not fit
    memory = DeviceMemory(*device_, bytes);
    ++generation_;
  };
  grow(arena_, arena_bytes);
  grow(scratch_, scratch_bytes);
}

Collective* Context::collective(Communicator& replicas) {
  if (!has_met_replicas_) collective_ = device_->make_collective(replicas);
  has_met_replicas_ = true;
  return collective_.get();
}

std::string Context::reducing() const {
  if (!has_met_replicas_) return "chosen in the first run";
  return collective_ == nullptr ? "by the host" : collective_->describe();
}

std::shared_ptr<const DeviceMemory> Context::tensor(const ConstantTensor& tensor) {
  std::erase_if(tensors_, [](const auto& each) { return each.second.expired(); });
  std::weak_ptr<const DeviceMemory>& known = tensors_[tensor.bytes.get()];
  if (auto memory = known.lock()) return memory;
  // The host's bytes live as long as their copy, or another tensor's might lie at their place.
  struct Kept {
    DeviceMemory memory;
    std::shared_ptr<const std::vector<std::byte>> bytes;
  };
  const auto kept = std::make_shared<const Kept>(DeviceMemory(*device_, tensor.type.bytes()), tensor.bytes);
  write(kept->memory.data(), *tensor.bytes);
  const std::shared_ptr<const DeviceMemory> memory(kept, &kept->memory);
  known = memory;
  return memory;
}

void Context::write(Address to, std::span<const std::byte> from) {
  device_->copy_in(Stream::compute, to, from.data(), from.size());
  device_->synchronize(Stream::compute);
}

}  // namespace qfw::cuda

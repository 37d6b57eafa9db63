#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "code/arguments.cuh"
#include "kernel.h"
#include "loader.h"

namespace qfw::cuda {

/// Op::random_uniform, with the bits of random_uniform_element. `state` is the address of a device::RandomState in device
/// memory, which each launch reads: one that was recorded has the numbers of the step that is there when it is replayed.
class RandomUniform final : public Kernel {
 public:
  RandomUniform(Loader& loader, const TensorType& result, std::uint64_t stream, const std::byte* state);

  const char* kind() const override { return "random"; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

 private:
  Device& device_;
  unsigned long long stream_;
  long long count_;
  const std::byte* state_;
  LaunchShape shape_;
  Loader::Handle function_;
};

}  // namespace qfw::cuda

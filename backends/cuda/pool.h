#pragma once

#include <cstddef>
#include <memory>

#include "code/arguments.cuh"
#include "kernel.h"
#include "loader.h"
#include "qfw/nn.h"

namespace qfw::cuda {

/// Op::max_pool of floats.
class MaxPool final : public Kernel {
 public:
  MaxPool(Loader& loader, const TensorType& x, const TensorType& result, const Pool& pool);

  const char* kind() const override { return "max pool"; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

 private:
  Device& device_;
  device::Pooling pooling_;
  int packs_;  ///< of neighbouring channels, of the result
  LaunchShape shape_;
  Loader::Handle function_;
};

/// Op::max_pool_grad: (x, gradient of the result) -> gradient of x. Each window's maximum is found once and kept in scratch
/// memory; then each pixel gathers what is its own, without atomic additions, in one order.
class MaxPoolGrad final : public Kernel {
 public:
  MaxPoolGrad(Loader& loader, const TensorType& x, const TensorType& gradient, const Pool& pool);

  const char* kind() const override { return "max pool backward"; }
  bool in_place(int input, int /*output*/) const override { return input == 0; }  // read before the result is written
  std::size_t scratch_bytes() const override { return scratch_bytes_; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

 private:
  Device& device_;
  device::Pooling pooling_;
  int packs_, window_packs_;  ///< of neighbouring channels, of x and of the gradient
  std::size_t scratch_bytes_;
  LaunchShape find_shape_, gather_shape_;
  Loader::Handle find_, gather_;
};

}  // namespace qfw::cuda

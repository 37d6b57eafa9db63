#pragma once

#include <array>
#include <memory>
#include <string>

#include "code/arguments.cuh"
#include "kernel.h"
#include "loader.h"

namespace qfw::cuda {

/// Op::transpose: two axes in each other's place, of any dtype.
class Transpose final : public Kernel {
 public:
  Transpose(Loader& loader, const TensorType& from, std::array<int, 2> axes);

  const char* kind() const override { return "transpose"; }
  std::string implementation() const override { return implementation_; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

 private:
  enum class Way { copy, tiles, gather } way_ = Way::copy;
  Device& device_;
  std::size_t bytes_;
  int rows_ = 1, columns_ = 1, middle_ = 1, count_ = 0;
  long long matrices_ = 1;
  device::Strided view_{};
  LaunchShape shape_;
  std::string implementation_;
  Loader::Handle function_;
};

/// Op::broadcast_to, of any dtype.
class Broadcast final : public Kernel {
 public:
  Broadcast(Loader& loader, const TensorType& from, const Shape& to);

  const char* kind() const override { return "broadcast"; }
  std::string implementation() const override { return implementation_; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

 private:
  Device& device_;
  std::size_t copied_ = 0;  ///< bytes, where nothing is repeated
  int count_ = 0;
  device::Strided view_{};
  LaunchShape shape_;
  std::string implementation_;
  Loader::Handle function_;
};

}  // namespace qfw::cuda

#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "conformance/case.h"

namespace qfw::conformance {

/// A tensor with guard bands on both sides.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const TensorType& type);

  const TensorType& type() const { return type_; }
  HostTensor host() { return {type_, {memory_.data() + guard, type_.bytes()}}; }
  HostView view() const { return {type_, {memory_.data() + guard, type_.bytes()}}; }
  bool guards_are_intact() const;

  double operator[](std::int64_t index) const;
  void set(std::int64_t index, double value);

 private:
  static constexpr std::size_t guard = 64;  // keeps the alignment of the allocation
  TensorType type_;
  std::vector<std::byte> memory_;
};

/// The same for the same description, whatever else runs.
Tensor data_for(const TensorType& type, Fill fill, std::string_view description);

}  // namespace qfw::conformance

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "integer_operands.h"
#include "kernel.h"
#include "product_parts.h"

namespace qfw::cuda {

/// (u8|s8) x s8 -> s32, exact: Op::conv2d and dense of integers, and conv2d_grad_src of s8 (as a convolution for each remainder
/// of pixels modulo the stride). Any extents, channels and groups. Tensor cores multiply from sm_75 on, dot products of four
/// bytes from sm_61 on, and those of groups of few channels everywhere. How the work is cut depends on extents and device; the
/// sums do not. Operands, packed weights and result are aligned to 16 bytes.
class IntegerConvolution final : public Kernel {
 public:
  using Weights = IntegerOperands::Weights;

  /// `product` is forward or grad_src, of u8 or s8. Throws Error::Category::usage where the device has no dot product of bytes.
  IntegerConvolution(Device& device, const ProductShape& product, Weights weights);

  const char* kind() const override { return kind_of(product_); }
  std::string implementation() const override;
  std::size_t scratch_bytes() const override { return operands_.scratch_bytes(); }
  /// Inputs: (src, weights) or (gradient of dst, weights).
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

  IntegerOperands& operands() { return operands_; }

  static const char* kind_of(const ProductShape& product);
  /// For people: what, of what.
  static std::string name_of(const ProductShape& product);

 private:
  struct Part {
    device::Correlation geometry{};
    int part_tiles = 0;  ///< of the depth, that a block multiplies
    LaunchShape shape{};
    std::string implementation{};
    std::size_t function = 0;  ///< of functions_
  };

  KernelSource cut_into_tiles(Part& part);
  KernelSource share_out_strips(Part& part) const;
  std::size_t add(KernelSource source);

  Device& device_;
  ProductShape product_;
  std::string where_;
  ProductParts all_;
  IntegerOperands operands_;
  long long result_count_ = 0;
  bool adds_ = false;  ///< blocks that share out the depth add to zeros
  std::vector<Part> parts_;
  LaunchShape zero_shape_;
  std::vector<KernelSource> sources_;
  std::vector<std::shared_ptr<Function>> functions_;
  std::size_t zero_ = 0;  ///< of functions_
};

/// Refuses a device without a dot product of bytes; `where` says for what.
void require_integer_products(const Device& device, const std::string& where);

}  // namespace qfw::cuda

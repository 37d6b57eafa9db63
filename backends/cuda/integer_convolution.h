#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "code/arguments.cuh"
#include "kernel.h"

namespace qfw::cuda {

/// (u8|s8) x s8 -> s32, exact: Op::conv2d and dense of integers, and conv2d_grad_src of s8 (as a convolution for each remainder
/// of pixels modulo the stride). Any extents, channels and groups. Tensor cores multiply from sm_75 on, dot products of four
/// bytes from sm_61 on, and those of groups of few channels everywhere. How the work is cut depends on extents and device; the
/// sums do not. Operands, packed weights and result are aligned to 16 bytes.
///
/// Weights are multiplied in an order of their own, into which pack() brings them from HWIO. enqueue() packs them into scratch
/// memory each time; weights that never change are better packed once, into memory that lasts.
class IntegerConvolution final : public Kernel {
 public:
  enum class Weights {
    as_they_are,  ///< input 1 is HWIO
    packed        ///< input 1 is what pack() wrote
  };

  /// `product` is forward or grad_src, of u8 or s8. Throws Error::Category::usage where the device has no dot product of bytes.
  IntegerConvolution(Device& device, const ProductShape& product, Weights weights);

  const char* kind() const override;
  std::string implementation() const override;
  std::size_t scratch_bytes() const override;
  /// Inputs: (src, weights) or (gradient of dst, weights).
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override;

  std::size_t packed_bytes() const { return packed_bytes_; }
  /// Gives the packing of `weights`, HWIO, into packed_bytes() at `to` to the compute stream.
  void pack(const std::byte* weights, Address to);

 private:
  /// How products are formed.
  enum class Way {
    tiles,    ///< a block a tile of rows x columns
    groups,   ///< a thread some columns of groups of few channels
    channels  ///< the same where a group is one channel
  };

  /// One of the products that the whole is made of.
  struct Part {
    device::Correlation geometry{};
    device::Packing packing{};
    std::size_t packed_at = 0, packed_bytes = 0;
    int part_tiles = 0;  ///< of the depth, that a block multiplies
    LaunchShape shape{}, pack_shape{};
    std::string implementation{};
    std::size_t function = 0;  ///< of functions_
  };

  void lay_out(Part& part);
  KernelSource cut_into_tiles(Part& part);
  KernelSource share_out_strips(Part& part) const;
  std::size_t add(KernelSource source);

  Device& device_;
  ProductShape product_;
  std::string where_;
  bool packed_;
  Way way_ = Way::tiles;
  int group_in_ = 0, group_out_ = 0, padded_ = 0;  ///< of the product; channels of a group as tiles read them
  int src_groups_ = 0;                             ///< pixels x groups of what is read
  long long result_count_ = 0;
  std::size_t packed_bytes_ = 0, padded_bytes_ = 0;
  bool adds_ = false;  ///< blocks that share out the depth add to zeros
  std::vector<Part> parts_;
  LaunchShape pad_shape_, zero_shape_;
  std::vector<KernelSource> sources_;
  std::vector<std::shared_ptr<Function>> functions_;
  std::size_t pack_ = 0, pad_ = 0, zero_ = 0;  ///< of functions_
};

}  // namespace qfw::cuda

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "product_parts.h"

namespace qfw::cuda {

/// What an integer product reads, as its kernels want it. Weights are multiplied in an order of their own, into which they are
/// packed from HWIO: each time, into scratch memory, or once. Channels that no whole words are made of are padded.
class IntegerOperands {
 public:
  enum class Weights {
    as_they_are,  ///< input 1 is HWIO
    packed        ///< input 1 is what pack() wrote
  };

  IntegerOperands(Device& device, const ProductShape& product, const ProductParts& parts, Weights weights,
                  const std::string& where);

  std::size_t scratch_bytes() const { return padded_bytes_ + (packed_ ? 0 : packed_bytes_); }
  std::size_t packed_bytes() const { return packed_bytes_; }
  /// Where the weights of a part lie among the packed ones.
  std::size_t packed_at(std::size_t part) const { return parts_[part].at; }
  /// How it is read, for people: begins with a comma, or is empty.
  std::string describe() const;

  /// Gives the packing of `weights`, HWIO, into packed_bytes() at `to` to the compute stream.
  void pack(const std::byte* weights, Address to);
  /// They never change: they are packed here, and input 1 is not read.
  void pack_once(std::shared_ptr<const DeviceMemory> weights);

  struct Read {
    const std::byte *images, *weights;
  };
  /// Gives to the compute stream what makes them of the inputs, (images, weights), and says where they then are.
  Read prepare(std::span<const std::byte* const> inputs, Address scratch);

 private:
  struct Part {
    device::Packing packing{};
    LaunchShape shape{};
    std::size_t at = 0, bytes = 0;
  };

  Device& device_;
  bool packed_;
  int group_in_, padded_;
  int src_groups_ = 0;  ///< pixels x groups of what is padded
  std::size_t packed_bytes_ = 0, padded_bytes_ = 0;
  std::vector<Part> parts_;
  LaunchShape pad_shape_;
  std::shared_ptr<Function> pack_, pad_;
  std::shared_ptr<const DeviceMemory> weights_;  ///< that are packed once: read by what is still to run
  DeviceMemory kept_;                            ///< as they are packed
};

}  // namespace qfw::cuda

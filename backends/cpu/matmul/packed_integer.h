#pragma once

#include <cstddef>
#include <cstdint>

#include "context.h"
#include "matmul/geometry.h"
#include "matmul/integer_codes.h"
#include "matmul/integer_operands.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {

/// One of our own integer products. Which loop multiplies depends on the weights, so that it is chosen when they are packed:
/// in each run, into the scratch memory, or once, if they are constant.
template <class Product>
class PackedInteger : public Kernel {
 public:
  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) final {
    std::byte* scratch = context_.scratch.data();
    if (!packed_once()) {
      const auto* weights = static_cast<const std::int8_t*>(inputs[1]);
      choose_loop(weights);
      pack(weights, scratch);
    }
    product_.src = static_cast<const std::uint8_t*>(inputs[0]);
    product_.dst = static_cast<std::int32_t*>(outputs[0]);
    product_.stream = product_.geometry.rows() * product_.geometry.o * 4 > stream_bytes && writes_whole_lines() &&
                      reinterpret_cast<std::uintptr_t>(outputs[0]) % 64 == 0;
    multiply(scratch + buffers_);
  }

 protected:
  // Results beyond this size are gone from the caches before somebody reads them.
  static constexpr std::int64_t stream_bytes = 16 << 20;
  // With fewer steps between widenings the 8-bit loop loses to the 16-bit one.
  static constexpr std::int64_t fewest_steps = 4;

  PackedInteger(const Graph& graph, const Node& node, Context& context)
      : context_(context), codes_(graph, node.inputs[0]), constant_(constant_operand(graph, node.inputs[1])) {
    product_.geometry = geometry_of(graph, node);
    product_.src_signed = codes_.is_signed;
    product_.offset = codes_.offset;
  }

  /// Ends the constructor: packs constant weights, and takes scratch memory for the others and for `count` buffers.
  void place(std::int64_t count, std::size_t buffer_bytes) {
    ScratchLayout layout;
    if (constant_ == nullptr) {
      place_packed(layout, false);
    } else {
      const auto* weights = reinterpret_cast<const std::int8_t*>(constant_);
      choose_loop(weights);
      ScratchLayout of_own;
      place_packed(of_own, true);
      own_ = Pages(of_own.size());
      pack(weights, own_.data());
    }
    buffer_bytes_ = (buffer_bytes + 63) / 64 * 64;
    buffers_ = layout.take(buffer_bytes_ * static_cast<std::size_t>(count));
    context_.scratch.reserve(layout.size());
  }

  bool packed_once() const { return own_.bytes() > 0; }

  virtual void choose_loop(const std::int8_t* weights) = 0;
  /// Takes what packed weights need, for the loop that is chosen or for any.
  virtual void place_packed(ScratchLayout& layout, bool chosen) = 0;
  virtual void pack(const std::int8_t* weights, std::byte* to) = 0;
  virtual bool writes_whole_lines() const = 0;  ///< of a cache, if the output begins with one
  virtual void multiply(std::byte* buffers) = 0;

  Context& context_;
  Product product_;
  const IntegerCodes codes_;
  std::size_t buffer_bytes_ = 0;  ///< from one buffer to the next

 private:
  const std::byte* const constant_;
  Pages own_;  ///< constant weights, packed
  std::size_t buffers_ = 0;
};

}  // namespace qfw::cpu

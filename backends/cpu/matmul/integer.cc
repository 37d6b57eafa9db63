#include <fmt/format.h>

#include <algorithm>

#include "matmul/integer_codes.h"
#include "matmul/integer_gemm.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Rows whose slices of the depth a thread gathers at once: they stay in its second-level cache.
constexpr std::int64_t block_rows = 16 * integer_tile_rows;
// Results beyond this size are gone from the caches before somebody reads them.
constexpr std::int64_t stream_bytes = 16 << 20;
// With fewer steps between widenings the 8-bit loop loses to the 16-bit one.
constexpr std::int64_t fewest_steps = 4;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

class IntegerKernel final : public Kernel {
 public:
  IntegerKernel(const Graph& graph, const Node& node, Context& context)
      : context_(context), name_(node.op == Op::dense ? "dense integer" : "conv2d integer") {
    const Geometry g = geometry_of(graph, node);
    product_.geometry = g;
    codes_ = IntegerCodes(graph, node.inputs[0]);
    product_.src_signed = codes_.is_signed;
    product_.offset = codes_.offset;
    bytes_possible_ = integer_bytes_possible() && codes_.steps(1) >= fewest_steps;

    panels_ = ceil_div(g.og(), integer_panel());
    const std::int64_t tiles = ceil_div(g.rows(), integer_tile_rows);
    std::int64_t blocks = ceil_div(g.rows(), block_rows);
    if (blocks * g.groups >= context.threads) blocks = ceil_div(blocks, context.threads) * context.threads;
    row_blocks_ = std::min(blocks, tiles);
    column_blocks_ = std::min(panels_, ceil_div(context.threads, row_blocks_ * g.groups));
    const std::int64_t rows = ceil_div(tiles, row_blocks_) * integer_tile_rows;

    const std::byte* constant = constant_operand(graph, node.inputs[1]);
    if (constant == nullptr) {
      place_packed(2, layout_);
    } else {
      pack_once(reinterpret_cast<const std::int8_t*>(constant));
    }
    buffer_bytes_ = (integer_buffer_bytes(rows, g.depth()) + 63) / 64 * 64;
    buffers_ = layout_.take(buffer_bytes_ * static_cast<std::size_t>(context.threads));
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    if (own_.bytes() == 0) {
      const auto* weights = static_cast<const std::int8_t*>(inputs[1]);
      choose_loop(weights);
      pack(weights, scratch);
    }
    product_.src = static_cast<const std::uint8_t*>(inputs[0]);
    product_.dst = static_cast<std::int32_t*>(outputs[0]);
    const Geometry& g = product_.geometry;
    product_.stream = g.rows() * g.o * 4 > stream_bytes && g.o % integer_panel() == 0 &&
                      reinterpret_cast<std::uintptr_t>(outputs[0]) % 64 == 0;

    const std::int64_t tiles = ceil_div(g.rows(), integer_tile_rows), count = row_blocks_ * g.groups * column_blocks_;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = i / column_blocks_ / g.groups, column = i % column_blocks_;
      const IntegerBlock block{
          .group = i / column_blocks_ % g.groups,
          .row = row * tiles / row_blocks_ * integer_tile_rows,
          .row_end = std::min(g.rows(), (row + 1) * tiles / row_blocks_ * integer_tile_rows),
          .panel = column * panels_ / column_blocks_,
          .panel_end = (column + 1) * panels_ / column_blocks_,
          .buffer = scratch + buffers_ + buffer_bytes_ * static_cast<std::size_t>(thread_index()),
      };
      multiply(product_, block);
    }
  }

  const char* kind() const override { return name_; }
  std::string implementation() const override {
    const bool once = own_.bytes() > 0, known = once || !bytes_possible_ || codes_.steps(128) >= fewest_steps;
    const bool bytes = once ? product_.bytes : bytes_possible_;
    return fmt::format("own {} {}{}",
                       !known  ? "u8 or s16"
                       : bytes ? "u8"
                               : "s16",
                       integer_target(), once ? ", packed once" : "");
  }

 private:
  void choose_loop(const std::int8_t* weights) {
    product_.bytes = false;
    if (!bytes_possible_) return;
    product_.widen_after = codes_.steps(greatest(weights, product_.geometry.depth() * product_.geometry.o));
    product_.bytes = product_.widen_after >= fewest_steps;
  }

  /// Where packed weights of elements of `size` bytes and what compensates their offset lie.
  void place_packed(std::int64_t size, ScratchLayout& layout) {
    const std::int64_t channels = product_.geometry.groups * panels_ * integer_panel();
    packed_ = layout.take(static_cast<std::size_t>(size * integer_depth(product_.geometry.depth()) * channels));
    compensation_ = layout.take(static_cast<std::size_t>(4 * channels));
  }

  void pack_once(const std::int8_t* weights) {
    choose_loop(weights);
    ScratchLayout layout;
    place_packed(product_.bytes ? 1 : 2, layout);
    own_ = Pages(layout.size());
    pack(weights, own_.data());
  }

  void pack(const std::int8_t* weights, std::byte* to) {
    const Geometry& g = product_.geometry;
    const std::int64_t width = integer_panel(), size = product_.bytes ? 1 : 2, count = g.groups * panels_;
    const bool compensate = product_.bytes && product_.offset != 0;
    auto* compensation = reinterpret_cast<std::int32_t*>(to + compensation_);
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t group = i / panels_, first = i % panels_ * width;
      pack_panel(weights + group * g.og() + first, g.depth(), std::min(width, g.og() - first), g.o, product_.bytes,
                 product_.offset, to + packed_ + i * integer_depth(g.depth()) * width * size,
                 compensate ? compensation + i * width : nullptr);
    }
    product_.weights = to + packed_;
    product_.compensation = compensate ? compensation : nullptr;
  }

  Context& context_;
  const char* name_;
  IntegerProduct product_;
  IntegerCodes codes_;
  bool bytes_possible_ = false;
  std::int64_t panels_ = 1, row_blocks_ = 1, column_blocks_ = 1;
  ScratchLayout layout_;
  Pages own_;  ///< constant weights, packed; none: they are packed into the scratch memory in each run
  std::size_t packed_ = 0, compensation_ = 0, buffers_ = 0, buffer_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<IntegerKernel>(graph, node, context);
}

}  // namespace qfw::cpu

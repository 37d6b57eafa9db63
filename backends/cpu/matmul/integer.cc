#include <fmt/format.h>

#include <algorithm>

#include "matmul/integer_gemm.h"
#include "matmul/packed_integer.h"

namespace qfw::cpu {
namespace {

// Rows whose slices of the depth a thread gathers at once: they stay in its second-level cache.
constexpr std::int64_t block_rows = 16 * integer_tile_rows;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

class IntegerKernel final : public PackedInteger<IntegerProduct> {
 public:
  IntegerKernel(const Graph& graph, const Node& node, Context& context)
      : PackedInteger(graph, node, context), name_(node.op == Op::dense ? "dense integer" : "conv2d integer") {
    const Geometry& g = product_.geometry;
    bytes_possible_ = integer_bytes_possible() && codes_.steps(1) >= fewest_steps;

    panels_ = ceil_div(g.og(), integer_panel());
    const std::int64_t tiles = ceil_div(g.rows(), integer_tile_rows);
    std::int64_t blocks = ceil_div(g.rows(), block_rows);
    if (blocks * g.groups >= context.threads) blocks = ceil_div(blocks, context.threads) * context.threads;
    row_blocks_ = std::min(blocks, tiles);
    column_blocks_ = std::min(panels_, ceil_div(context.threads, row_blocks_ * g.groups));
    const std::int64_t rows = ceil_div(tiles, row_blocks_) * integer_tile_rows;
    place(context.threads, integer_buffer_bytes(rows, g.depth()));
  }

  const char* kind() const override { return name_; }
  std::string implementation() const override {
    const bool once = packed_once(), known = once || !bytes_possible_ || codes_.steps(128) >= fewest_steps;
    const bool bytes = once ? product_.bytes : bytes_possible_;
    return fmt::format("own {} {}{}",
                       !known  ? "u8 or s16"
                       : bytes ? "u8"
                               : "s16",
                       integer_target(), once ? ", packed once" : "");
  }

 private:
  void choose_loop(const std::int8_t* weights) override {
    product_.bytes = false;
    if (!bytes_possible_) return;
    product_.widen_after = codes_.steps(greatest(weights, product_.geometry.depth() * product_.geometry.o));
    product_.bytes = product_.widen_after >= fewest_steps;
  }

  void place_packed(ScratchLayout& layout, bool chosen) override {
    const std::int64_t channels = product_.geometry.groups * panels_ * integer_panel(), size = chosen && product_.bytes ? 1 : 2;
    packed_ = layout.take(static_cast<std::size_t>(size * integer_depth(product_.geometry.depth()) * channels));
    compensation_ = layout.take(static_cast<std::size_t>(4 * channels));
  }

  void pack(const std::int8_t* weights, std::byte* to) override {
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

  bool writes_whole_lines() const override { return product_.geometry.o % integer_panel() == 0; }

  void multiply(std::byte* buffers) override {
    const Geometry& g = product_.geometry;
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
          .buffer = buffers + buffer_bytes_ * static_cast<std::size_t>(thread_index()),
      };
      cpu::multiply(product_, block);
    }
  }

  const char* name_;
  bool bytes_possible_ = false;
  std::int64_t panels_ = 1, row_blocks_ = 1, column_blocks_ = 1;
  std::size_t packed_ = 0, compensation_ = 0;  ///< in what is packed
};

}  // namespace

std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<IntegerKernel>(graph, node, context);
}

}  // namespace qfw::cpu

#include "riding_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel_text.h"
#include "rows_text.h"

namespace qfw::cuda {
namespace {

using lowering::Fill;
using lowering::FusedProgram;
using lowering::Pattern;
using lowering::Strides;
using Reduction = FusedProgram::Reduction;

// Each block that reduces leaves partial results; so many, or up to twice as many, keep devices busy to the end.
constexpr std::int64_t enough_blocks = 2048;

/// Splits the last axis, some rows of `columns`, in two.
void split_last_axis(FusedProgram& program, std::int64_t columns) {
  auto& extents = program.space.extents;
  const std::size_t last = extents.size() - 1;
  extents.back() /= columns;
  extents.push_back(columns);
  const auto split = [&](Strides& strides) {
    strides[last + 1] = strides[last];
    strides[last] *= columns;
  };
  for (FusedProgram::Load& load : program.loads) {
    split(load.strides);
    if (load.pattern == Pattern::row) load.pattern = Pattern::strided;  // it differs from row to row now
  }
  for (Reduction& reduction : program.reductions) {
    split(reduction.strides);
    if (reduction.pattern == Pattern::row) reduction.pattern = Pattern::strided;
  }
  for (FusedProgram::Value& value : program.values) {
    if (value.kind == FusedProgram::Value::Kind::load && program.loads[value.load].pattern == Pattern::strided) {
      value.fill = Fill::full;
    }
    if (value.kind != FusedProgram::Value::Kind::compute) continue;
    for (const int arg : value.args) {
      if (arg >= 0) value.fill = std::max(value.fill, program.values[arg].fill);
    }
  }
}

class RidingText {
 public:
  RidingText(const GroupSource& source, const TileText& product, std::span<const std::int64_t> scratch_at)
      : layout_(source.layout), product_(product), text_(source), rows_(source, threads, scratch_at, text_) {}

  EmittedLaunch run(const LaunchShape& shape) {
    place();
    text_.scalars();
    rows_.begin();
    text_.line("#pragma unroll 1");
    text_.open("for (int down = part * height; down < (part + 1) * height; ++down)");
    text_.line("const Tile tile = Product::tile(c, down, across);");
    text_.line("if (tile.first_row >= tile.last_row) break;");
    text_.line("Product::Engine engine;");
    text_.line("Product::multiply(engine, images, weights, c, group, tile, 0, 1 << 30, memory);");
    rows_.rows_for_all();  // only now: the engine needs registers
    text_.line("#pragma unroll 1");
    text_.open("for (int staged = 0; staged < Product::rows; staged += Product::staged_rows)");
    text_.line("Product::stage(engine, staged, memory);");
    walk();
    text_.close();
    text_.line("__syncthreads();");
    text_.close();
    if (rows_.reduces()) {
      text_.line("double* const shared = reinterpret_cast<double*>(memory);");
      rows_.results();
    }
    return text_.done(shape, "on the tiles of a product", "riding",
                      "const u8* images, const u8* weights, const Correlation c, int height, ", product_.threads);
  }

 private:
  static constexpr RowsText::Threads threads{"tx", "ty", "X", "Y", "(blockIdx.y * gridDim.x + blockIdx.x)"};

  void place() {
    text_.line("using Product = ", product_.type, ";");
    text_.line(fmt::format("constexpr int V = {}, X = Product::columns / V, Y = Product::threads / X;", layout_.vector));
    text_.line(fmt::format("constexpr int own = Product::staged_rows / Y, B = own < {0} ? own : {0}, U = B < {1} ? B : {1};",
                           Layout::block_rows, layout_.unroll));
    text_.line("constexpr int multiplied = Product::shared_bytes, staged_bytes = Product::staged_bytes;");
    text_.line("constexpr int most = multiplied > staged_bytes ? multiplied : staged_bytes;");
    text_.line(fmt::format("constexpr int reduced = {} * sizeof(double);", rows_.shared_doubles()));
    text_.line("__shared__ __align__(128) u8 memory[most > reduced ? most : reduced];");
    text_.line("const s32* const sums = reinterpret_cast<const s32*>(memory);");
    text_.line("const int tiles = Product::column_tiles(c), group = blockIdx.y, across = blockIdx.x % tiles;");
    text_.line("const index part = blockIdx.x / tiles, tx = threadIdx.x % X, ty = threadIdx.x / X;");
    text_.line("const index cols = c.groups * c.group_out, of_group = across * Product::columns + tx * V;");
    text_.line("const bool inside = of_group < c.group_out;");
    text_.line("const index column = group * c.group_out + (inside ? of_group : 0);");
  }

  /// What is staged.
  void walk() {
    text_.line("const index first = tile.first_row + staged, end = first + Product::staged_rows;");
    text_.line("const index last = !inside ? 0 : end < tile.last_row ? end : tile.last_row;");
    text_.line("#pragma unroll 1");
    text_.open("for (index block = ty; block < Product::staged_rows; block += B * Y)");
    rows_.begin_block();
    text_.line("#pragma unroll 1");
    text_.open("for (int k = 0; k < B; k += U)");
    text_.line("const index row = first + block + k * Y;");
    rows_.some_rows({.is_there = "at_row < last",
                     .is_first = "taken == 0",
                     .carried = "sums + (at_row - first) * Product::pitch + tx * V"});
    text_.close();
    rows_.end_block();
    text_.close();
  }

  const Layout& layout_;
  const TileText& product_;
  KernelText text_;
  RowsText rows_;
};

}  // namespace

std::optional<FusedProgram> on_tiles(FusedProgram program, int carried, std::int64_t columns, std::string& why) {
  const auto adds = [](const Reduction& reduction) {
    return reduction.kind == Reduction::Kind::sum || reduction.kind == Reduction::Kind::moments;
  };
  const auto strided = [](const auto& operand) { return operand.pattern == Pattern::strided; };
  if (program.in_order && std::ranges::any_of(program.reductions, adds)) {
    why = "it sums in order";
  } else if (program.space.cols() % columns != 0) {
    why = "its rows are not the product's";
  } else if (std::ranges::any_of(program.loads, [&](const FusedProgram::Load& load) {
               return load.input == carried && (load.pattern != Pattern::dense || load.dtype != DType::s32);
             })) {
    why = "it does not read the sums as they come";
  }
  if (!why.empty()) return std::nullopt;
  if (program.space.cols() != columns) {
    if (program.space.extents.size() == Shape::max_rank) {
      why = "it has too many axes";
      return std::nullopt;
    }
    split_last_axis(program, columns);
  }
  if (std::ranges::any_of(program.reductions, strided)) {
    why = "it reduces to more than a row";
    return std::nullopt;
  }
  return program;
}

EmittedRiding emit_on_tiles(const FusedProgram& program, int carried, std::span<const DType> inputs,
                            std::span<const DType> outputs, const RiddenTiles& tiles, const TileText& product) {
  const device::Correlation& c = tiles.part.geometry;
  EmittedRiding emitted;
  if (!program.reductions.empty()) {
    emitted.height = static_cast<int>(std::clamp<std::int64_t>(tiles.cut.blocks(c) / enough_blocks, 1, tiles.cut.row_tiles));
  }
  const std::int64_t parts = (tiles.cut.row_tiles + emitted.height - 1) / emitted.height;
  const Layout layout = layout_on_tiles(program, carried, c.group_out, parts, std::int64_t{tiles.cut.column_tiles} * c.groups);
  const GroupSource source{program, layout, inputs, outputs, carried};
  std::vector<std::int64_t> scratch_at;
  std::int64_t doubles = 0, most = 1;
  for (const Reduction& reduction : program.reductions) {
    scratch_at.push_back(doubles);
    const Partials partials = partials_of(program, layout, reduction);
    doubles += partials.all * accumulator_of(reduction.kind).doubles;
    most = std::max(most, partials.count);
  }
  const LaunchShape shape{.grid = {static_cast<unsigned>(parts * tiles.cut.column_tiles), static_cast<unsigned>(c.groups), 1},
                          .block = {static_cast<unsigned>(product.threads), 1, 1},
                          .barriers = true};
  emitted.riding = RidingText(source, product, scratch_at).run(shape);
  emitted.describe = fmt::format("{} columns x {} rows a thread", layout.vector, layout.unroll);
  if (layout.wide) emitted.describe += ", 64-bit indices";
  if (!program.reductions.empty())
    emitted.describe += fmt::format(", {} reduced in {} parts", program.reductions.size(), parts);
  if (most > 1) {
    emitted.joining = joining_kernel(source, scratch_at);
    emitted.scratch_bytes = static_cast<std::size_t>(doubles) * sizeof(double);
  }
  return emitted;
}

}  // namespace qfw::cuda

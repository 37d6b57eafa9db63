#include <fmt/format.h>

#include "kernel_text.h"
#include "rows_text.h"

namespace qfw::cuda {
namespace {

class WalkingText {
 public:
  WalkingText(const GroupSource& source, std::span<const std::int64_t> scratch_at)
      : program_(source.program), layout_(source.layout), text_(source), rows_(source, threads, scratch_at, text_) {}

  EmittedLaunch run() {
    place();
    text_.scalars();
    rows_.rows_for_all();
    rows_.begin();
    walk();
    if (rows_.reduces()) {
      text_.line(fmt::format("__shared__ double shared[{}];", rows_.shared_doubles()));
      rows_.results();
    }
    return text_.done({.grid = {static_cast<unsigned>(layout_.blocks()), 1, 1},
                       .block = {layout_.block_x, layout_.block_y, 1},
                       .barriers = rows_.reduces()},
                      fmt::format("{} columns x {} rows a thread", layout_.vector, layout_.unroll));
  }

 private:
  static constexpr RowsText::Threads threads{"spot.x", "spot.y", "spot.width", "spot.height", "spot.block"};

  void place() {
    text_.line(fmt::format("constexpr int V = {}, U = {};", layout_.vector, layout_.unroll));
    text_.line("const index cols = ", text_.extent(layout_.cols), ";");
    if (layout_.flat) text_.line("const index count = ", text_.extent(program_.space.count()), ";");
    text_.line("const index column_blocks = ", text_.extent(layout_.column_blocks),
               ", column_block = spot.block % column_blocks;");
    text_.line("const index part = spot.block / column_blocks, pieces = ", text_.extent(layout_.pieces),
               ", outer = part / pieces;");
    text_.line("const index inner = ", text_.extent(layout_.inner), ", height = ", text_.extent(layout_.height), ";");
    text_.line("const index own = (column_block * spot.width + spot.x) * V;");
    // Threads that the block does not have take part in its barriers (member_spot).
    text_.line("const bool inside = own < cols", rows_.reduces() ? " && spot.y < spot.height;" : ";");
    text_.line("const index column = inside ? own : 0;");
    text_.line("const index first = outer * inner + part % pieces * height, end = outer * inner + inner;");
    text_.line("const index start = first + spot.y;");
    text_.line("const index last = !inside ? 0 : first + height < end ? first + height : end;");
  }

  void walk() {
    const RowsText::Walk some{.is_there = layout_.flat ? "at_row < last && at < count" : "at_row < last",
                              .is_first = "u == 0 && at_row == start"};
    if (!rows_.adds()) {
      text_.open("for (index row = start; row < last; row += U * spot.height)");
      rows_.some_rows(some);
      text_.close();
      return;
    }
    text_.open(fmt::format("for (index block = start; block < last; block += {} * spot.height)", Layout::block_rows));
    rows_.begin_block();
    text_.line("#pragma unroll 1");
    text_.open(fmt::format("for (unsigned k = 0; k < {}; k += U)", Layout::block_rows));
    text_.line("const index row = block + k * spot.height;");
    rows_.some_rows(some);
    text_.close();
    rows_.end_block();
    text_.close();
  }

  const lowering::FusedProgram& program_;
  const Layout& layout_;
  KernelText text_;
  RowsText rows_;
};

}  // namespace

EmittedLaunch walking_kernel(const GroupSource& source, std::span<const std::int64_t> scratch_at) {
  return WalkingText(source, scratch_at).run();
}

}  // namespace qfw::cuda

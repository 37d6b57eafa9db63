#include "layout.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "qfw/op_definition.h"

namespace qfw::cuda {
namespace {

using lowering::FusedProgram;
using lowering::Pattern;
using Reduction = FusedProgram::Reduction;
using Kind = Reduction::Kind;

constexpr std::int64_t vector_bytes = 16;
constexpr int most_columns = 8;             // a thread
constexpr double most_column_sums = 2;      // in double for each of so many columns: registers
constexpr std::int64_t words_at_once = 32;  // that a thread has asked for
constexpr std::int64_t most_unrolled = 4, most_dividing = 2;
constexpr std::int64_t words_beside_sums = 28;  // of a product's tile; least on devices whose copies pass through registers
constexpr int least_columns = 4;
constexpr double most_work = 1024;            // in additions, that is written out for the rows unrolled
constexpr std::int64_t enough_blocks = 4096;  // so that each has little to do beside its start
constexpr std::int64_t enough_sums = 1024;    // each leaves partial results that others join
constexpr std::int64_t least_rows = 16;       // that a thread adds up

std::int64_t quotient_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step; }
std::int64_t round_up(std::int64_t value, std::int64_t step) { return quotient_up(value, step) * step; }

/// The leading axes for which results are kept, if those alone, and the last one perhaps.
std::optional<std::size_t> kept_axes(const FusedProgram& program, const Reduction& reduction) {
  const std::size_t rows = program.space.extents.size() - 1;
  std::size_t kept = 0;
  while (kept < rows && reduction.strides[kept] != 0) ++kept;
  for (std::size_t axis = kept; axis < rows; ++axis) {
    if (reduction.strides[axis] != 0) return std::nullopt;
  }
  return kept;
}

bool adds(Kind kind) { return kind == Kind::sum || kind == Kind::moments; }

/// Decides `by_tree` and what is kept: of strided results those that are kept for the axes of the first such.
void share_reductions(const FusedProgram& program, Layout& layout) {
  std::optional<std::size_t> kept;
  for (const Reduction& reduction : program.reductions) {
    bool tree = !(program.in_order && adds(reduction.kind));
    if (tree && reduction.pattern == Pattern::strided) {
      const auto own = kept_axes(program, reduction);
      if (!kept) kept = own;
      tree = own && own == kept;
    }
    layout.by_tree.push_back(tree);
    layout.walks = layout.walks || tree;
  }
  for (std::size_t axis = 0; axis < kept.value_or(0); ++axis) layout.outers *= program.space.extents[axis];
}

template <class Use>
void for_each_tree(const FusedProgram& program, const Layout& layout, Use use) {
  for (std::size_t r = 0; r < program.reductions.size(); ++r) {
    if (layout.by_tree[r]) use(program.reductions[r]);
  }
}

bool knows_rows(const FusedProgram& program, const Layout& layout) {
  const auto knows = [](Pattern pattern) { return pattern == Pattern::row || pattern == Pattern::strided; };
  bool any = std::ranges::any_of(program.loads, [&](const FusedProgram::Load& load) { return knows(load.pattern); });
  for_each_tree(program, layout, [&](const Reduction& reduction) { any = any || knows(reduction.pattern); });
  return any;
}

int columns_of(const FusedProgram& program, const Layout& layout, std::int64_t cols, int carried = -1) {
  std::size_t narrowest = sizeof(float);
  for (const auto& load : program.loads) {
    if (load.pattern == Pattern::dense && load.input != carried) narrowest = std::min(narrowest, size_of(load.dtype));
  }
  for (const auto& store : program.stores) narrowest = std::min(narrowest, size_of(store.dtype));
  auto columns = std::min<std::int64_t>(vector_bytes / static_cast<std::int64_t>(narrowest), most_columns);
  double sums = 0;
  for_each_tree(program, layout, [&](const Reduction& reduction) {
    if (is_by_column(program, reduction)) sums += reduction.kind == Kind::moments ? 2 : adds(reduction.kind) ? 1 : 0.5;
  });
  if (sums > most_column_sums) columns = std::min<std::int64_t>(columns, most_columns / 2);
  while (cols % columns != 0) columns /= 2;
  return static_cast<int>(columns);
}

/// Additions for each element.
double work_of(const FusedProgram& program) {
  double work = 0;
  for (const auto& value : program.values) {
    const bool each = value.kind == FusedProgram::Value::Kind::compute && value.fill == lowering::Fill::full;
    if (each) work += definition(value.op).cost;
  }
  return work;
}

bool divides(const FusedProgram& program) {
  return std::ranges::any_of(program.values, [](const FusedProgram::Value& value) {
    return value.kind == FusedProgram::Value::Kind::compute && value.fill == lowering::Fill::full && value.op == Op::divide;
  });
}

/// That a thread asks memory for at once in each row of its columns, but for those of `carried`.
std::int64_t words_of_row(const FusedProgram& program, int columns, int carried) {
  std::int64_t words = 0;
  for (const auto& load : program.loads) {
    if (load.input == carried) continue;
    if (load.pattern == Pattern::dense || load.pattern == Pattern::strided) {
      words += quotient_up(columns * static_cast<std::int64_t>(size_of(load.dtype)), sizeof(float));
    }
  }
  return words;
}

int unroll_of(const FusedProgram& program, int columns, int carried = -1) {
  const std::int64_t words = words_of_row(program, columns, carried);
  auto rows = std::clamp<std::int64_t>(words_at_once / std::max<std::int64_t>(words, 1), 1, most_unrolled);
  rows = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(rows)));
  // A division calls its slow path, around which sums of all columns are kept: more calls at once, and they spill.
  if (divides(program) && !program.reductions.empty()) rows = std::min(rows, most_dividing);
  const double work = work_of(program) * columns;
  while (rows > 1 && work * static_cast<double>(rows) > most_work) rows /= 2;
  return static_cast<int>(rows);
}

/// Beside a tile's sums a thread has few registers left for what differs from column to column and for rows on their way.
void share_registers(const FusedProgram& program, Layout& layout, int carried) {
  const auto of_column = std::ranges::count(program.values, lowering::Fill::row, &FusedProgram::Value::fill);
  const auto words = [&](int rows) { return of_column * layout.vector + rows * words_of_row(program, layout.vector, carried); };
  while (layout.vector > least_columns && words(2) > words_beside_sums) layout.vector /= 2;
  // What comes out of shared memory alone keeps no thread waiting.
  layout.unroll = words_of_row(program, layout.vector, carried) == 0 ? 1 : unroll_of(program, layout.vector, carried);
  while (layout.unroll > 1 && words(layout.unroll) > words_beside_sums) layout.unroll /= 2;
}

bool needs_wide(const FusedProgram& program) {
  constexpr std::int64_t end = std::int64_t{1} << 31;
  if (program.space.count() >= end) return true;
  return std::ranges::any_of(program.loads, [&](const FusedProgram::Load& load) {
    std::int64_t last = 0;
    for (std::size_t axis = 0; axis < program.space.extents.size(); ++axis) {
      last += (program.space.extents[axis] - 1) * load.strides[axis];
    }
    return last >= end;
  });
}

void cut_rows(Layout& layout, bool reduces) {
  const std::int64_t rows = quotient_up(layout.inner, layout.block_y);  // a thread, were there one piece
  const std::int64_t wanted = rows * layout.outers * layout.column_blocks / (reduces ? enough_sums : enough_blocks);
  const std::int64_t least = reduces ? least_rows : layout.unroll;
  const std::int64_t own = round_up(std::max(wanted, least), reduces ? Layout::block_rows : layout.unroll);
  layout.height = own * layout.block_y;
  layout.pieces = quotient_up(layout.inner, layout.height);
}

}  // namespace

bool is_by_column(const FusedProgram& program, const Reduction& reduction) {
  return reduction.strides[program.space.extents.size() - 1] != 0;
}

Layout layout_of(const FusedProgram& program) {
  Layout layout;
  layout.walks = !program.stores.empty();
  share_reductions(program, layout);
  const std::int64_t count = program.space.count();
  layout.flat = !knows_rows(program, layout);
  layout.wide = needs_wide(program);
  layout.vector = columns_of(program, layout, layout.flat ? count : program.space.cols());
  layout.unroll = unroll_of(program, layout.vector);
  if (layout.flat) {
    constexpr std::int64_t warp = 32;
    layout.block_x = static_cast<unsigned>(std::min<std::int64_t>(round_up(count / layout.vector, warp), Layout::most_threads));
    layout.cols = std::int64_t{layout.block_x} * layout.vector;
    layout.inner = quotient_up(count, layout.cols);
  } else {
    layout.cols = program.space.cols();
    layout.inner = program.space.rows() / layout.outers;
    const std::int64_t vectors = layout.cols / layout.vector;
    layout.column_blocks = quotient_up(vectors, Layout::most_threads);
    layout.block_x = static_cast<unsigned>(quotient_up(vectors, layout.column_blocks));
    layout.block_y = static_cast<unsigned>(std::min<std::int64_t>(Layout::most_threads / layout.block_x, layout.inner));
  }
  cut_rows(layout, std::ranges::find(layout.by_tree, true) != layout.by_tree.end());
  return layout;
}

Layout layout_on_tiles(const FusedProgram& program, int carried, std::int64_t group_columns, std::int64_t down,
                       std::int64_t across) {
  Layout layout;
  layout.walks = true;
  layout.by_tree.assign(program.reductions.size(), true);
  layout.wide = needs_wide(program);
  layout.vector = columns_of(program, layout, group_columns, carried);
  share_registers(program, layout, carried);
  layout.cols = program.space.cols();
  layout.inner = program.space.rows();
  layout.pieces = down;
  layout.column_blocks = across;
  return layout;
}

Partials partials_of(const FusedProgram& program, const Layout& layout, const Reduction& reduction) {
  const bool by_column = is_by_column(program, reduction);
  Partials partials;
  partials.stride = by_column ? layout.cols : 1;
  partials.count =
      (reduction.pattern == Pattern::strided ? layout.pieces : layout.parts()) * (by_column ? 1 : layout.column_blocks);
  partials.all = layout.parts() * (by_column ? layout.cols : layout.column_blocks);
  return partials;
}

std::int64_t divisor_of(std::int64_t extent, bool wide) {
  if (wide) return extent;
  // Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994: n / d = (n m / 2^32 + n) / 2^s, of
  // which n m / 2^32 + n stays below 2^32 for n below 2^31.
  const auto d = static_cast<std::uint64_t>(extent);
  const auto shift = static_cast<std::uint64_t>(std::bit_width(d - 1));
  const std::uint64_t multiplier = ((((std::uint64_t{1} << shift) - d) << 32) / d) + 1;
  return static_cast<std::int64_t>(shift << 32 | multiplier);
}

}  // namespace qfw::cuda

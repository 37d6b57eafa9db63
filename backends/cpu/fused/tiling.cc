#include "tiling.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace qfw::cpu {
namespace {

using lowering::FusedProgram;
using lowering::Pattern;

constexpr std::int64_t flat_cols = 2048;  // of a space that knows no rows
constexpr std::int64_t chunk_elements = 32768, most_chunks = 256;
constexpr std::int64_t small_chunk_elements = 8192;  // without sums, of which each chunk makes its own: one image is shared out
constexpr std::int64_t least_chunks = 8, rows_per_chunk = 64;
constexpr std::int64_t enough_chunks = 32;  // of such a row's columns, for threads to share
constexpr std::int64_t long_row = 16384;    // columns: a row that serves all rows does not stay in the first levels of cache
constexpr std::int64_t accumulator_budget = 1 << 17;  // doubles, over all chunks

std::int64_t round_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

bool any_load(const FusedProgram& program, Pattern pattern) {
  return std::ranges::any_of(program.loads, [&](const FusedProgram::Load& load) { return load.pattern == pattern; });
}
bool any_result(const FusedProgram& program, Pattern pattern) {
  return std::ranges::any_of(program.reductions, [&](const FusedProgram::Reduction& r) { return r.pattern == pattern; });
}

void cut_rows(const FusedProgram& program, Tiling& g) {
  const std::int64_t own_rows = program.space.rows(), own_cols = program.space.cols();
  g.rows = own_rows;
  g.cols = own_cols;
  if (!knows_rows(program)) {
    g.cols = std::min(flat_cols, g.count);
    g.rows = (g.count + g.cols - 1) / g.cols;
    g.repeat = 1;
    return;
  }
  if (!joins_rows(program)) return;
  const std::int64_t whole_steps =
      static_cast<std::int64_t>(tile_step) / std::gcd(own_cols, static_cast<std::int64_t>(tile_step));
  g.repeat = std::max<std::int64_t>(1, std::min(256 / own_cols, own_rows));
  if (g.repeat > whole_steps) g.repeat -= g.repeat % whole_steps;
  g.cols = g.repeat * own_cols;
  g.rows = (g.count + g.cols - 1) / g.cols;
}

void cut_tiles(const FusedProgram& program, std::int64_t tile, Tiling& g) {
  constexpr auto block = static_cast<std::int64_t>(block_rows);
  const bool blocks = adds_blocks(program) && g.rows > 1;
  const std::int64_t most_cols = blocks ? std::max(tile / block, static_cast<std::int64_t>(tile_step)) : tile;
  if (g.cols <= most_cols) {
    g.tile_cols = g.cols;
    g.tile_rows = std::clamp<std::int64_t>(tile / g.padded_cols(), 1, g.rows);
    if (blocks) g.tile_rows = std::max(g.tile_rows / block * block, block);
  } else {
    const std::int64_t slices = (g.cols + most_cols - 1) / most_cols;
    g.tile_cols = round_up((g.cols + slices - 1) / slices, tile_step);
    g.tile_rows = blocks ? block : 1;
  }
}

/// As many as wanted, or fewer, up to one in `fewer`, where that makes them equal: then as often a multiple of two as can be,
/// so that chunks fall on the images of a batch and a convolution can be computed chunk by chunk (riding.h).
std::int64_t chunks_of(std::int64_t units, std::int64_t wanted, std::int64_t fewer) {
  const std::int64_t most = std::clamp<std::int64_t>(wanted, 1, units);
  std::int64_t best = most;
  int best_twos = -1;
  for (std::int64_t chunks = most; fewer * chunks >= most; --chunks) {
    const int twos = std::countr_zero(static_cast<std::uint64_t>(chunks));
    if (units % chunks != 0 || twos <= best_twos) continue;
    best = chunks;
    best_twos = twos;
  }
  return best;
}

void cut_row_chunks(std::int64_t wanted, std::int64_t unit, Tiling& g, std::int64_t fewer = 2) {
  const std::int64_t units = g.rows / unit, chunks = chunks_of(units, wanted, fewer);
  for (std::int64_t i = 0; i < chunks; ++i) {
    g.chunks.push_back({.first_row = units * i / chunks * unit,
                        .last_row = units * (i + 1) / chunks * unit,
                        .first_col = 0,
                        .last_col = g.cols});
  }
}

void cut_col_chunks(std::int64_t wanted, Tiling& g) {
  const std::int64_t units = (g.cols + tile_step - 1) / tile_step, chunks = std::clamp<std::int64_t>(wanted, 1, units);
  for (std::int64_t i = 0; i < chunks; ++i) {
    const std::int64_t first = units * i / chunks * tile_step, last = units * (i + 1) / chunks * tile_step;
    g.chunks.push_back({.first_row = 0, .last_row = g.rows, .first_col = first, .last_col = std::min(last, g.cols)});
  }
}

void cut_without_sums(const FusedProgram& program, Tiling& g) {
  if (g.cols >= long_row && any_load(program, Pattern::row)) {
    // Its part of that row is read again and again while it is there; where there are many, they are longer, as streams want.
    const std::int64_t wanted = std::min(g.count / chunk_elements, most_chunks);
    cut_col_chunks(std::clamp(g.cols / (long_row / 2), std::min(wanted, enough_chunks), wanted), g);
  } else {
    cut_row_chunks(std::min(g.count / small_chunk_elements, most_chunks), 1, g, 4);
  }
}

void cut_chunks(const FusedProgram& program, Tiling& g) {
  if (program.reductions.empty()) return cut_without_sums(program, g);
  std::int64_t wanted = std::min(g.count / chunk_elements, most_chunks);
  if (any_result(program, Pattern::strided)) {
    const bool alone = !any_result(program, Pattern::row) && !any_result(program, Pattern::scalar);
    if (chunks_own_results(program) && (alone || !program.in_order)) {
      cut_row_chunks(wanted, g.rows / program.space.extents[0], g);
    } else {
      cut_row_chunks(1, 1, g);
    }
    return;
  }
  if (program.in_order) {
    if (any_result(program, Pattern::scalar)) {
      cut_row_chunks(1, 1, g);
    } else {
      cut_col_chunks(wanted, g);
    }
    return;
  }
  if (any_result(program, Pattern::row)) {
    wanted = std::min(wanted, std::max(least_chunks, g.rows / rows_per_chunk));  // each chunk adds its sums up at its end
    wanted = std::min(wanted, accumulator_budget / (2 * g.cols * static_cast<std::int64_t>(program.reductions.size())));
  }
  cut_row_chunks(wanted, 1, g);
}

}  // namespace

Tile Tiling::tile(std::int64_t row, std::int64_t col, std::int64_t tile_rows, std::int64_t tile_cols) const {
  Tile tile{.row = row, .col = col, .rows = tile_rows, .cols = tile_cols};
  tile.pitch = round_up(tile.cols, tile_step);
  tile.first = row * cols + col;
  tile.contiguous = tile.rows == 1 || (tile.cols == cols && tile.pitch == tile.cols);
  tile.direct = tile.contiguous && tile.pitch == tile.cols;
  return tile;
}

bool knows_rows(const FusedProgram& program) {
  return any_load(program, Pattern::strided) || any_result(program, Pattern::strided) || any_load(program, Pattern::row) ||
         any_result(program, Pattern::row);
}

bool joins_rows(const FusedProgram& program) {
  if (any_load(program, Pattern::strided) || any_result(program, Pattern::strided)) return false;
  const bool row_order_matters = program.in_order && any_result(program, Pattern::row);
  return knows_rows(program) && program.space.cols() < 128 && program.space.rows() > 1 && !row_order_matters;
}

std::int64_t offset_of_row(const lowering::Space& space, std::int64_t row, const lowering::Strides& strides) {
  std::int64_t offset = 0;
  for (int axis = static_cast<int>(space.extents.size()) - 2; axis >= 0; --axis) {
    offset += row % space.extents[axis] * strides[axis];
    row /= space.extents[axis];
  }
  return offset;
}

std::int64_t rows_that_share(const lowering::Space& space, const lowering::Strides& strides) {
  std::int64_t rows = 1;
  for (int axis = static_cast<int>(space.extents.size()) - 2; axis >= 0 && strides[axis] == 0; --axis) {
    rows *= space.extents[axis];
  }
  return rows;
}

bool adds_blocks(const FusedProgram& program) {
  using Kind = FusedProgram::Reduction::Kind;
  return !program.in_order && std::ranges::any_of(program.reductions, [](const FusedProgram::Reduction& r) {
    return r.pattern == Pattern::row && (r.kind == Kind::sum || r.kind == Kind::moments);
  });
}

bool is_by_column(const FusedProgram& program, const FusedProgram::Reduction& reduction) {
  if (reduction.pattern == Pattern::row) return true;
  return reduction.pattern == Pattern::scalar && reduction.kind == FusedProgram::Reduction::Kind::sum && adds_blocks(program);
}

bool chunks_own_results(const FusedProgram& program) {
  return program.space.extents.size() > 1 && std::ranges::all_of(program.reductions, [](const FusedProgram::Reduction& r) {
           return r.pattern != Pattern::strided || r.strides[0] != 0;
         });
}

Tiling cut(const FusedProgram& program, std::int64_t tile_elements) {
  Tiling g;
  g.count = program.space.count();
  cut_rows(program, g);
  cut_tiles(program, tile_elements, g);
  cut_chunks(program, g);
  return g;
}

}  // namespace qfw::cpu

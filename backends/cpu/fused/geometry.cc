#include "geometry.h"

#include <algorithm>
#include <numeric>

namespace qfw::cpu {
namespace {

constexpr std::int64_t cache_floats = 5120;  // what all buffers of a tile may take, of a first-level cache of 32 KB
constexpr std::int64_t chunk_elements = 32768, most_chunks = 256;
constexpr std::int64_t least_chunks = 8, rows_per_chunk = 64;
constexpr std::int64_t accumulator_budget = 1 << 17;  // doubles, over all chunks

std::int64_t round_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

bool any_load(const TileProgram& program, Pattern pattern) {
  return std::ranges::any_of(program.loads, [&](const TileLoad& load) { return load.pattern == pattern; });
}
bool any_result(const TileProgram& program, Pattern pattern) {
  return std::ranges::any_of(program.reductions, [&](const TileReduction& r) { return r.pattern == pattern; });
}

void cut_rows(const TileProgram& program, std::int64_t tile, Geometry& g) {
  const std::int64_t own_rows = program.space.rows(), own_cols = program.space.cols();
  g.rows = own_rows, g.cols = own_cols;
  if (any_load(program, Pattern::strided) || any_result(program, Pattern::strided)) return;
  if (!any_load(program, Pattern::row) && !any_result(program, Pattern::row)) {
    g.cols = std::min(tile, g.count);
    g.rows = (g.count + g.cols - 1) / g.cols;
    g.repeat = 1;
    return;
  }
  const bool row_order_matters = program.in_order && any_result(program, Pattern::row);
  if (own_cols >= 128 || own_rows == 1 || row_order_matters) return;
  const std::int64_t whole_steps =
      static_cast<std::int64_t>(tile_step) / std::gcd(own_cols, static_cast<std::int64_t>(tile_step));
  g.repeat = std::max<std::int64_t>(1, std::min(256 / own_cols, own_rows));
  if (g.repeat > whole_steps) g.repeat -= g.repeat % whole_steps;
  g.cols = g.repeat * own_cols;
  g.rows = (g.count + g.cols - 1) / g.cols;
}

void cut_tiles(std::int64_t tile, Geometry& g) {
  if (g.cols <= tile) {
    g.tile_cols = g.cols;
    g.tile_rows = std::clamp<std::int64_t>(tile / g.padded_cols(), 1, g.rows);
  } else {
    const std::int64_t slices = (g.cols + tile - 1) / tile;
    g.tile_cols = round_up((g.cols + slices - 1) / slices, tile_step);
    g.tile_rows = 1;
  }
}

void cut_row_chunks(std::int64_t wanted, std::int64_t unit, Geometry& g) {
  const std::int64_t units = g.rows / unit, chunks = std::clamp<std::int64_t>(wanted, 1, units);
  for (std::int64_t i = 0; i < chunks; ++i) {
    g.chunks.push_back({.first_row = units * i / chunks * unit,
                        .last_row = units * (i + 1) / chunks * unit,
                        .first_col = 0,
                        .last_col = g.cols});
  }
}

void cut_col_chunks(std::int64_t wanted, Geometry& g) {
  const std::int64_t units = (g.cols + tile_step - 1) / tile_step, chunks = std::clamp<std::int64_t>(wanted, 1, units);
  for (std::int64_t i = 0; i < chunks; ++i) {
    const std::int64_t first = units * i / chunks * tile_step, last = units * (i + 1) / chunks * tile_step;
    g.chunks.push_back({.first_row = 0, .last_row = g.rows, .first_col = first, .last_col = std::min(last, g.cols)});
  }
}

void cut_chunks(const TileProgram& program, Geometry& g) {
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
  if (program.in_order && !program.reductions.empty()) {
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

bool chunks_own_results(const TileProgram& program) {
  return program.space.extents.size() > 1 && std::ranges::all_of(program.reductions, [](const TileReduction& r) {
           return r.pattern != Pattern::strided || r.strides[0] != 0;
         });
}

Geometry cut(const TileProgram& program) {
  Geometry g;
  g.count = program.space.count();
  const std::int64_t tile = std::clamp<std::int64_t>(cache_floats / std::max(1, program.full_buffers), 256, 2048) / 64 * 64;
  cut_rows(program, tile, g);
  cut_tiles(tile, g);
  cut_chunks(program, g);
  return g;
}

}  // namespace qfw::cpu

#pragma once

#include "tile_program.h"

/// How a program's space is cut: into tiles that fit the first-level cache, and into chunks that threads share out. Neither
/// depends on the number of threads, so sums do not either.
namespace qfw::cpu {

struct Chunk {
  std::int64_t first_row = 0, last_row = 0, first_col = 0, last_col = 0;
};

struct Geometry {
  /// The space as `rows` rows of `cols`, several of its own rows put in one where they are short; the last one may be short.
  std::int64_t rows = 1, cols = 1, count = 1;
  std::int64_t repeat = 1;  ///< own rows in one row
  std::int64_t tile_rows = 1, tile_cols = 1;
  std::vector<Chunk> chunks;

  std::int64_t padded_cols() const { return (cols + tile_step - 1) / tile_step * tile_step; }
  std::int64_t tile_floats() const { return tile_rows * ((tile_cols + tile_step - 1) / tile_step * tile_step); }
};

Geometry cut(const TileProgram& program);

/// Whether the accumulators of strided reductions are shared, each chunk having results of its own.
bool chunks_own_results(const TileProgram& program);

}  // namespace qfw::cpu

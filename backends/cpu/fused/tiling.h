#pragma once

#include <cstdint>
#include <vector>

#include "qfw/lowering/program.h"
#include "tile_ops.h"

/// How a program's space is cut: into chunks that threads share out, and these into tiles that fit the first-level cache. Sums
/// depend on chunks alone, and chunks on the program alone: neither on the number of threads nor on what a body wants of a
/// tile.
namespace qfw::cpu {

struct Chunk {
  std::int64_t first_row = 0, last_row = 0, first_col = 0, last_col = 0;
};

/// A piece of the space: `rows` rows of `cols` from (row, col) on.
struct Tile {
  std::int64_t row = 0, col = 0, rows = 0, cols = 0;
  std::int64_t pitch = 0;   ///< from row to row in a buffer: cols, rounded up to whole steps
  std::int64_t first = 0;   ///< index of its first element in dense operands
  bool contiguous = false;  ///< one run of elements in dense operands
  bool direct = false;      ///< and laid out as in a buffer
};

struct Tiling {
  /// The space as `rows` rows of `cols`, several of its own rows put in one where they are short; the last one may be short.
  std::int64_t rows = 1, cols = 1, count = 1;
  std::int64_t repeat = 1;  ///< own rows in one row
  std::int64_t tile_rows = 1, tile_cols = 1;
  std::vector<Chunk> chunks;

  std::int64_t padded_cols() const { return (cols + tile_step - 1) / tile_step * tile_step; }
  /// Elements of a row: all but the last have `cols`.
  std::int64_t cols_of(std::int64_t row) const { return row + 1 < rows ? cols : count - (rows - 1) * cols; }
  Tile tile(std::int64_t row, std::int64_t col, std::int64_t tile_rows, std::int64_t tile_cols) const;
  std::int64_t tile_floats() const { return tile_rows * ((tile_cols + tile_step - 1) / tile_step * tile_step); }
};

/// `tile_elements`: how many a tile may hold.
Tiling cut(const lowering::FusedProgram& program, std::int64_t tile_elements);

/// Index of the first element of a row of the space under these strides.
std::int64_t offset_of_row(const lowering::Space& space, std::int64_t row, const lowering::Strides& strides);

/// How many rows that follow each other, from a multiple of that number on, begin at the same index.
std::int64_t rows_that_share(const lowering::Space& space, const lowering::Strides& strides);

/// Whether any operand or result varies from row to row or lies row by row. If not, the space is cut as one long row.
bool knows_rows(const lowering::FusedProgram& program);

/// Whether short rows are put together to longer ones.
bool joins_rows(const lowering::FusedProgram& program);

/// Whether columns add up their rows in blocks of block_rows, which no tile may cut.
bool adds_blocks(const lowering::FusedProgram& program);

/// Whether a reduction has an accumulator for each column: of each column's result, or a sum over everything that is taken
/// beside such (adds_blocks).
bool is_by_column(const lowering::FusedProgram& program, const lowering::FusedProgram::Reduction& reduction);

/// Whether the accumulators of strided reductions are shared, each chunk having results of its own.
bool chunks_own_results(const lowering::FusedProgram& program);

}  // namespace qfw::cpu

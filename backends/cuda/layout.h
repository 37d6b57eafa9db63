#pragma once

#include <cstdint>
#include <vector>

#include "qfw/lowering/program.h"

namespace qfw::cuda {

/// How the threads of a fused pass share out its space. Types, patterns and extents alone decide, nothing of the device: sums
/// have the same bits on each.
///
/// A thread owns `vector` columns that follow each other and walks down rows, so that what is one row for all rows is read and
/// computed once. Rows are cut into pieces, one for each block of threads in a column of blocks. Where results are kept for
/// outer rows (of images, say), no piece reaches beyond the rows of one of them.
struct Layout {
  static constexpr unsigned most_threads = 256;
  static constexpr int block_rows = 8;  ///< that a thread adds up in f32 before it goes on in double

  std::vector<bool> by_tree;  ///< of each reduction: several threads a result; else one, in index order
  bool walks = false;         ///< there is something to store or to reduce by a tree
  bool flat = false;          ///< nothing knows the space's own rows: its rows here are a block of threads wide
  bool wide = false;          ///< indices have 64 bits
  int vector = 1;             ///< columns a thread
  int unroll = 1;             ///< rows whose operands a thread asks for at once
  std::int64_t cols = 1;
  std::int64_t outers = 1, inner = 1;   ///< the rows: so many times so many
  std::int64_t pieces = 1, height = 1;  ///< of `inner` rows: so many pieces of so many rows
  std::int64_t column_blocks = 1;
  unsigned block_x = 1, block_y = 1;

  std::int64_t parts() const { return outers * pieces; }
  std::int64_t blocks() const { return parts() * column_blocks; }
};

Layout layout_of(const lowering::FusedProgram& program);

/// The same for a group on the tiles of a product of so many columns a group of channels, in rows x columns of blocks. The
/// input `carried` is not in memory; all reductions are by tree, to a row or a number.
Layout layout_on_tiles(const lowering::FusedProgram& program, int carried, std::int64_t group_columns, std::int64_t down,
                       std::int64_t across);

/// Whether results are kept for the last axis, too, or reduced over it.
bool is_by_column(const lowering::FusedProgram& program, const lowering::FusedProgram::Reduction& reduction);

/// How many results of partial ones a reduction by tree joins to one, and how far they lie apart.
struct Partials {
  std::int64_t count = 1, stride = 1, all = 1;
};
Partials partials_of(const lowering::FusedProgram& program, const Layout& layout,
                     const lowering::FusedProgram::Reduction& reduction);

/// What device code divides by `extent` with (`quotient` in code/fused.cuh).
std::int64_t divisor_of(std::int64_t extent, bool wide);

}  // namespace qfw::cuda

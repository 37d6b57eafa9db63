#include "fused/tiling.h"

#include <gtest/gtest.h>

#include <ostream>

#include "fused/tile_ops.h"
#include "graph_maker.h"

namespace qfw::cpu {

bool operator==(const Chunk& a, const Chunk& b) {
  return a.first_row == b.first_row && a.last_row == b.last_row && a.first_col == b.first_col && a.last_col == b.last_col;
}
void PrintTo(const Chunk& chunk, std::ostream* to) {
  *to << "rows " << chunk.first_row << "-" << chunk.last_row << ", columns " << chunk.first_col << "-" << chunk.last_col;
}

namespace testing {
namespace {

/// Sums down to `to` of a tensor that is computed in the same pass.
lowering::FusedProgram program_with_sums(const Shape& shape, const Shape& to, Summation summation) {
  Maker m;
  m.graph.summation = summation;
  const Use x = m.add(Op::relu, {m.input(shape)});
  m.fetch(x);
  m.fetch(m.add(Op::sum, {x}, Reduce{to}));
  const auto items = lowering::group_nodes(m.graph, target());
  auto program = lowering::program_of(m.graph, items.back().group.value());
  EXPECT_EQ(program.reductions.size(), 1u);
  return program;
}

struct Case {
  Shape shape, to;
};

const std::vector<Case> cases = {{{64, 28, 28, 64}, {64}}, {{16, 7, 7, 2048}, {2048}}, {{32, 56, 56, 3}, {3}},
                                 {{4096, 10}, {10}},       {{300, 1000}, {300, 1}},    {{16, 14, 14, 40}, {}},
                                 {{1024, 129}, {129}}};

/// How large a tile a body wants changes nothing that sums depend on.
TEST(Tiling, ChunksAndBlocksDependOnTheProgramAlone) {
  for (const auto& [shape, to] : cases) {
    for (const Summation summation : {Summation::free, Summation::in_order}) {
      const auto program = program_with_sums(shape, to, summation);
      const Tiling least = cut(program, 256);
      if (summation == Summation::free && shape.count() > 1 << 20) {
        EXPECT_GE(least.chunks.size(), 8u);
      }
      for (const std::int64_t elements : {512, 1000, 2048, 5000, 16384, 1 << 20}) {
        const Tiling other = cut(program, elements);
        EXPECT_EQ(other.chunks, least.chunks) << elements;
        EXPECT_EQ(other.cols, least.cols);
        EXPECT_EQ(other.repeat, least.repeat);
      }
    }
  }
}

/// Columns that add up rows in blocks start each tile at a block's first row.
TEST(Tiling, TilesHoldWholeBlocksOfRows) {
  for (const auto& [shape, to] : cases) {
    if (to.rank() != 1) continue;
    const auto program = program_with_sums(shape, to, Summation::free);
    for (const std::int64_t elements : {256, 512, 1000, 2048, 5000, 16384}) {
      EXPECT_EQ(cut(program, elements).tile_rows % static_cast<std::int64_t>(block_rows), 0) << elements;
    }
  }
}

TEST(Tiling, ChunksCoverEveryElementOnce) {
  for (const auto& [shape, to] : cases) {
    for (const Summation summation : {Summation::free, Summation::in_order}) {
      const Tiling tiling = cut(program_with_sums(shape, to, summation), 2048);
      std::int64_t covered = 0;
      for (const Chunk& chunk : tiling.chunks) {
        for (std::int64_t row = chunk.first_row; row < chunk.last_row; ++row) {
          covered += std::min(chunk.last_col, tiling.cols_of(row)) - std::min(chunk.first_col, tiling.cols_of(row));
        }
      }
      EXPECT_EQ(covered, shape.count());
    }
  }
}

}  // namespace
}  // namespace testing
}  // namespace qfw::cpu

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../tile_program.h"
#include "../tiling.h"

namespace qfw::cpu::x86 {

/// What compiled code is called with: a piece of the space, `rows` rows of `cols` columns. Element (r, c) lies at
/// first + r * pitch + c of dense operands; whatever belongs to columns begins with the piece's first one.
struct Piece {
  const void* const* inputs;
  void* const* outputs;
  const float* const* values;            ///< by value: rows and single numbers
  const std::byte* const* const* lines;  ///< by line list (see Pass::Line): where each row begins
  double* const* sums;                   ///< two a reduction: by column, or lanes
  float* const* floats;                  ///< one a reduction: pivots, or extremes so far
  std::int64_t first, rows, cols, pitch;
};
using Code = void (*)(const Piece*);

inline constexpr int most_lines = 16;
inline constexpr std::int64_t row_lanes = 2 * static_cast<std::int64_t>(tile_step);

/// What is to be compiled: a tile program without what code need not do, and how its loops run and its reductions are made.
struct Pass {
  /// What happens to a value that is reduced.
  enum class Way : std::uint8_t {
    blocks,    ///< added in f32 down a block of rows, then to doubles, a sum for each column
    moments,   ///< the same with what is left of it, and of its square, without the pivot
    doubles,   ///< added in double, row by row, a sum for each column
    lanes,     ///< added in double, a sum for each column modulo tile_step
    columns,   ///< extremes, one for each column
    extremes,  ///< extremes, one for each column modulo tile_step
    rows,      ///< maxima of sizes, of all columns of a row together
    spilled    ///< written to memory, for Reductions::add
  };
  struct Load {
    int input = 0;
    DType dtype{};
    bool dense = false;  ///< else found row by row:
    int line = -1;       ///< by this list,
    bool one = false;    ///< one element for all columns
  };
  struct Reduced {
    Way way{};
    bool is_max = false;
    int line = -1;  ///< of spilled ones: where a row goes; of rows: what its columns modulo row_lanes have so far
    int twin = -1;  ///< of blocks: an earlier reduction that adds up the same; this one has no instruction
  };

  TileProgram program;
  std::vector<Load> loads;  ///< as the program's; rows and numbers are not among those that the body has
  /// By reduction. Its instruction reads `a`, only where b (if it is one) is true, and c is not.
  std::vector<Reduced> reduced;
  std::vector<std::optional<float>> clipped;  ///< by store: u8 of a value clipped to 0 and this number
  bool flat = false;                          ///< no operand knows rows: one row, however long
  std::int64_t block_rows = 1;                ///< that a few columns are kept in registers for
  int lines = 0;                              ///< lists of row pointers, of loads first
  bool has_pivots = false;

  std::string text() const;  ///< equal for passes that equal code serves
};

/// Empty if `why` says what no code is made of.
struct Passes {
  Pass whole;
  Pass pivots;  ///< of a chunk's first row, before the rest: what moments are taken around; empty where there are none
};
bool make_passes(const lowering::FusedProgram& source, const TileProgram& program, Passes& passes, std::string& why);

/// What is known of a pass's values.
struct Facts {
  explicit Facts(const Pass& pass);

  std::vector<int> last;        ///< position of the last instruction that reads it; -1: none
  std::vector<int> reads;       ///< how many operands of the body it is
  std::vector<bool> is_number;  ///< known when compiling
  std::vector<float> number;
  std::vector<bool> flushed;        ///< never subnormal
  std::vector<bool> unsigned_zero;  ///< -0 and +0 may be confused: whoever reads it sees no difference
  std::vector<bool> no_sign;        ///< the sign bit is clear, of NaN as well

  /// Whether its order is that of its bits as a whole number, NaN the greatest.
  bool is_size(int value) const { return no_sign[value] && flushed[value]; }
};

}  // namespace qfw::cpu::x86

#pragma once

#include <cstdint>
#include <vector>

#include "fusion.h"
#include "tile_ops.h"
#include "views.h"

/// A group as a short program over tiles.
namespace qfw::cpu {

/// The index space of a group, axes merged wherever all operands allow it. Rows are all extents but the last.
struct Space {
  std::vector<std::int64_t> extents;  ///< at least one

  std::int64_t cols() const { return extents.back(); }
  std::int64_t count() const;
  std::int64_t rows() const { return count() / cols(); }
};

/// How much of a tile a value fills: one number, one row that serves all rows, everything.
enum class Fill : std::uint8_t { scalar, row, full };

/// Where an operand's or a result's elements lie.
enum class Pattern : std::uint8_t {
  scalar,
  row,
  dense,
  strided  ///< anything else: found row by row
};

struct TileValue {
  Fill fill = Fill::full;
  bool words = false;         ///< s32, not floats
  int buffer = -1;            ///< of full values: which of a thread's tile buffers; of rows and scalars: which of theirs
  int first = -1, last = -1;  ///< positions in the body where it is made and last read
};

struct TileLoad {
  int input = 0;
  DType dtype{};
  Pattern pattern{};
  Strides strides{};  ///< by the space's extents
  int value = 0;
};

struct TileInstruction {
  enum class Kind : std::uint8_t { load, unary, binary, select, spread, store, reduce } kind{};
  int index = 0;  ///< of load, store, reduce: which
  TileUnary unary{};
  TileBinary binary{};
  int a = -1, b = -1, c = -1;  ///< values
  int out = -1;
};

struct TileStore {
  int output = 0;
  DType dtype{};
  int value = 0;
  bool rounds = false;  ///< the value is not yet rounded to bf16
  bool direct = false;  ///< where memory allows it, the value is made in the output itself
};

struct TileReduction {
  enum class Kind : std::uint8_t { sum, max, min, moments } kind{};
  int value = 0;
  Pattern pattern{};  ///< of the result; never dense
  Strides strides{};  ///< of the result, by the space's extents
  std::int64_t results = 1;
  std::int64_t count = 1;               ///< elements that went into one result
  int output = -1, second_output = -1;  ///< second: the variance
};

struct TileProgram {
  Space space;
  bool in_order = false;  ///< sums in double and index order
  std::vector<TileValue> values;
  std::vector<float> numbers;  ///< of constants, by scalar buffer
  std::vector<TileLoad> loads;
  std::vector<TileInstruction> prologue;  ///< what scalars and rows need, once per run
  std::vector<TileInstruction> body;      ///< once per tile
  std::vector<TileStore> stores;
  std::vector<TileReduction> reductions;
  int full_buffers = 0, row_buffers = 0, scalar_buffers = 0;
};

TileProgram compile_tiles(const Graph& graph, const FusedGroup& group);

}  // namespace qfw::cpu

#pragma once

#include <cstdint>
#include <vector>

#include "qfw/lowering/program.h"
#include "tile_ops.h"

/// The interpreter's program: what a group computes, as loops over the buffers of a tile.
namespace qfw::cpu {

struct TileValue {
  lowering::Fill fill = lowering::Fill::full;
  bool words = false;         ///< s32, not floats
  int buffer = -1;            ///< of full values: which of a thread's tile buffers; of rows and scalars: which of theirs
  int first = -1, last = -1;  ///< positions in the body where it is made and last read
};

struct TileLoad {
  int input = 0;
  DType dtype{};
  lowering::Pattern pattern{};
  lowering::Strides strides{};  ///< by the space's extents
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

struct TileProgram {
  std::vector<TileValue> values;
  std::vector<float> numbers;  ///< of constants, by scalar buffer
  std::vector<TileLoad> loads;
  std::vector<TileInstruction> prologue;  ///< what scalars and rows need, once per run
  std::vector<TileInstruction> body;      ///< once per tile
  std::vector<TileStore> stores;
  std::vector<int> reduced;  ///< of each reduction of the source: the value it takes
  int full_buffers = 0, row_buffers = 0, scalar_buffers = 0;
};

TileProgram compile_tiles(const lowering::FusedProgram& program);

}  // namespace qfw::cpu

#pragma once

#include <cstddef>
#include <cstdint>

#include "qfw/tensor.h"

/// The loops over one tile, in the widest instruction set of the machine. A tile is `rows` rows of `cols` floats (or, where
/// said, words), one behind the other; cols is a multiple of tile_step, so no loop over a tile has a remainder.
namespace qfw::cpu {

inline constexpr std::size_t tile_step = 16;
inline constexpr std::size_t block_rows = 8;  ///< that are added in f32 where the order of sums is free

enum class TileUnary : std::uint8_t {
  negate,
  relu,
  abs,
  exp,
  log,
  sqrt,
  tanh,
  floor,
  round_even,
  is_finite,
  round_bf16,  ///< to the nearest bf16, halves to even
  to_float,
  to_int,  ///< between s32 words and floats
  count
};
enum class TileBinary : std::uint8_t { add, subtract, multiply, divide, minimum, maximum, less, less_equal, equal, count };

/// What an operand is beside a full tile: one row that serves all rows, or one number.
enum class TileKind : std::uint8_t { full_full, full_row, row_full, full_scalar, scalar_full, count };

/// Of select(condition, a, b): which of a and b is one number.
enum class SelectKind : std::uint8_t { full_full, full_scalar, scalar_full, scalar_scalar, count };

struct TileOps {
  using Unary = void (*)(const float* a, float* out, std::size_t n);
  using Binary = void (*)(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols);
  using Select = void (*)(const float* condition, const float* a, const float* b, float* out, std::size_t n);
  using Load = void (*)(const void* from, float* to, std::size_t n);   ///< any n; s32 stays words
  using Store = void (*)(const float* from, void* to, std::size_t n);  ///< any n
  using Rows = void (*)(const float* x, float* result, std::size_t rows, std::size_t cols);

  Unary unary[static_cast<int>(TileUnary::count)];
  Binary binary[static_cast<int>(TileBinary::count)][static_cast<int>(TileKind::count)];
  Select select[static_cast<int>(SelectKind::count)];
  static constexpr int dtypes = 6;
  Load load[dtypes];  ///< by DType; of f16 none (CpuBackend::supports)
  Store store[dtypes];
  Store store_rounding;  ///< to bf16, of floats not yet rounded

  Rows max_rows, min_rows;  ///< join every row to `result`
  /// Add every row to `sums`, one after the other; of moments what is left of each value, and of its square, without `pivot`.
  void (*sum_rows)(const float* x, double* sums, std::size_t rows, std::size_t cols);
  void (*moments_rows)(const float* x, const float* pivot, double* sums, double* squares, std::size_t rows, std::size_t cols);
  /// The same in f32 for every block_rows rows (and what is left of them), which are then added in double.
  void (*sum_blocks)(const float* x, double* sums, std::size_t rows, std::size_t cols);
  void (*moments_blocks)(const float* x, const float* pivot, double* sums, double* squares, std::size_t rows, std::size_t cols);
  /// Add element i to lane i % tile_step; any n.
  void (*sum_lanes)(const float* x, std::size_t n, double* lanes);
  void (*moments_lanes)(const float* x, std::size_t n, double pivot, double* sums, double* squares);
  /// Join element i to lane i % tile_step; any n.
  void (*max_lanes)(const float* x, std::size_t n, float* lanes);
  void (*min_lanes)(const float* x, std::size_t n, float* lanes);
  const char* name;
};

const TileOps& tile_ops();

}  // namespace qfw::cpu

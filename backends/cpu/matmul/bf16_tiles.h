#pragma once

#include <cstddef>
#include <cstdint>

#include "qfw/tensor.h"

/// Products of bf16 by the processor's tile unit (AMX), f32 sums. A tile is what one instruction takes: `tile_size` rows of as
/// many pairs of elements, one pair after the other in 32 bits; a block of memory of tile_bytes.
namespace qfw::cpu {

inline constexpr std::int64_t tile_size = 16, tile_bytes = tile_size * tile_size * 4;
inline constexpr std::int64_t tile_rows = 2 * tile_size;  ///< of the sums that a tile adds up in one go: pairs

bool has_bf16_tiles();  ///< on this processor, and the system lets this process use it; nothing else here may be called without

/// From 32 rows of src (null: a row of zeros), `count` <= 16 elements from `first` on: a tile whose row is the element and
/// whose pair two rows. The rest of its rows is zero.
void gather_tile(const BFloat16* const* rows, std::int64_t first, std::int64_t count, std::byte* tile);
void gather_tile(const std::uint8_t* const* rows, std::int64_t first, std::int64_t count, std::byte* tile);
void gather_tile(const std::int8_t* const* rows, std::int64_t first, std::int64_t count, std::byte* tile);

/// From up to 32 rows of grad, `stride` elements apart, elements [0, count), count <= 16: a tile whose row is a pair of rows
/// and whose pair's place the element.
void pair_tile(const BFloat16* grad, std::int64_t stride, std::int64_t rows, std::int64_t count, std::byte* tile);

/// While one lives, this thread's tile unit is set up for multiply_tiles.
class TileUnit {
 public:
  TileUnit();
  TileUnit(const TileUnit&) = delete;
  TileUnit& operator=(const TileUnit&) = delete;
  ~TileUnit();
};

/// dst[32][32], rows `stride` elements apart: the sum over `steps` of the products of two tiles of a, one below the other, with
/// two of b beside each other, on top of what is there if `add`. Tiles of one row or column follow each other in memory;
/// `a_next` and `b_next` are bytes to the second row, the second column.
void multiply_tiles(const std::byte* a, std::int64_t a_next, const std::byte* b, std::int64_t b_next, std::int64_t steps,
                    float* dst, std::int64_t stride, bool add);

}  // namespace qfw::cpu

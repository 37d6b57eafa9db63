#pragma once

#include <cstddef>
#include <cstdint>

#include "matmul/integer_operands.h"

/// Exact integer convolution as a product of packed matrices, for processors without u8 x s8 instructions. Two inner loops:
/// pairs of 16 bits (always exact), and pairs of 8 bits whose 16-bit sums are widened before they could overflow.
namespace qfw::cpu {

inline constexpr std::int64_t integer_tile_rows = 6;  ///< of one inner loop, in registers

/// Panels hold `panel` output channels each, of one group. A step is four products.
struct IntegerProduct : IntegerOperands {
  bool bytes = false;             ///< which loop
  const void* weights = nullptr;  ///< packed: s16 [panel][depth / 2][channel][2] or s8 [panel][depth / 4][channel][4]
};
/// Of one thread's turn: rows of the product and panels of one group.
struct IntegerBlock {
  std::int64_t group = 0, row = 0, row_end = 0, panel = 0, panel_end = 0;
  std::byte* buffer = nullptr;  ///< integer_buffer_bytes() of the thread's own
};

std::int64_t integer_panel();                    ///< output channels of one panel
bool integer_bytes_possible();                   ///< whether the 8-bit loop exists here
const char* integer_target();                    ///< instruction set, for people
std::int64_t integer_depth(std::int64_t depth);  ///< rounded up as packed
std::size_t integer_buffer_bytes(std::int64_t rows, std::int64_t depth);

/// Greatest absolute value.
int greatest(const std::int8_t* weights, std::int64_t count);
/// Packs `columns` output channels (of rows `stride` apart) into one panel and sums them into compensation * offset.
void pack_panel(const std::int8_t* weights, std::int64_t depth, std::int64_t columns, std::int64_t stride, bool bytes,
                int offset, void* packed, std::int32_t* compensation);
void multiply(const IntegerProduct& product, const IntegerBlock& block);

}  // namespace qfw::cpu

#pragma once

#include <cstddef>
#include <cstdint>

#include "matmul/integer_operands.h"

/// Exact integer convolution where groups have few channels: vectors hold output channels of several groups. What a channel
/// meets of a pixel is a 32-bit word, two codes in 16 bits or four in 8, multiplied by as many weights and added up at once. A
/// word's codes are those of successive channels of the group or, where it has one, of successive rows.
namespace qfw::cpu {

enum class WordLoop : std::uint8_t {
  pairs,   ///< two products of 16 bits
  quads,   ///< four of u8 and s8, whose sums in 16 bits are widened before they could overflow
  vnni,    ///< four, added up in 32 bits
  floats,  ///< one, of floats: where there is a channel in a group, and where 24 bits hold all sums
};
bool has_word_loop(WordLoop loop);  ///< on this processor; there are always pairs
const char* name_of(WordLoop loop);
bool floats_are_faster();  ///< than pairs and quads, on this processor
inline std::int64_t codes_per_word(WordLoop loop) { return loop == WordLoop::floats ? 1 : loop == WordLoop::pairs ? 2 : 4; }

/// A step is a word.
struct WordProduct : IntegerOperands {
  WordLoop loop = WordLoop::pairs;
  const std::byte* weights = nullptr;  ///< as pack_words leaves them
};
/// Of one thread's turn: rows of results, counted through all images.
struct WordRows {
  std::int64_t row = 0, row_end = 0;
  std::byte* buffer = nullptr;  ///< word_buffer_bytes() of the thread's own
};

std::int64_t word_lanes();                                         ///< output channels of a vector
std::int64_t word_channels();                                      ///< that are written at once
std::int64_t words_per_channel(const Geometry& g, WordLoop loop);  ///< that are multiplied for a result
std::size_t word_buffer_bytes(const Geometry& g, WordLoop loop);
/// The weights of vector `v` as words [word][lane], and their sums times the offset, [lane].
void pack_words(const WordProduct& product, const std::int8_t* weights, std::int64_t v, std::byte* packed,
                std::int32_t* compensation);
void multiply(const WordProduct& product, const WordRows& rows);

/// A row of results of one vector of output channels.
struct WordRow {
  const std::byte* const* lines;           ///< words of src, [column][lane]; what the kernel's rows meet, one after the other
  std::int64_t line_count, width, stride;  ///< in words: of a line for each result, from one result to the next
  bool same;                               ///< lines are [column][word of it], each for all lanes
  std::int64_t pixels;
  const std::byte* weights;          ///< [line][word][lane]
  const std::int32_t* compensation;  ///< null: none
  std::int64_t widen_after;
  std::int32_t* dst;
  std::int64_t dst_step, ahead, channels;  ///< ahead: of a result, to that which is stored in the row to come
  bool stream;
};

}  // namespace qfw::cpu

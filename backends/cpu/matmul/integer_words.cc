#include "matmul/integer_words.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "matmul/integer_words_vnni.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/integer_words.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/integer_words-inl.h"
#include "matmul/spread-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of results that are gone through vector by vector: what they and their part of src take stays in the second-level cache.
constexpr std::int64_t band_bytes = 256 << 10;

/// How kernels and pixels are cut into words.
struct Layout {
  std::int64_t codes;      ///< of a word
  bool of_rows;            ///< a word's codes are those of successive rows, else of successive channels
  std::int64_t per_pixel;  ///< of channels: words of a pixel for a channel of the output
  std::int64_t lines;      ///< of words that a row of results meets
  std::int64_t slots;      ///< for lines of that many rows of src at once, `per_pixel` each
  std::int64_t columns;    ///< of a line
  std::int64_t overrun;    ///< bytes that are read beyond a line where a row's results are not a multiple of four
  std::int64_t line_bytes;

  Layout(const Geometry& g, WordLoop loop)
      : codes(codes_per_word(loop)),
        of_rows(g.cg() == 1),
        per_pixel((g.cg() + codes - 1) / codes),
        lines(of_rows ? (g.kh + codes - 1) / codes : g.kh * per_pixel),
        slots(of_rows ? (lines - 1) * codes + 1 : g.kh),
        columns((g.ow - 1) * g.sw + g.kw),
        overrun(3 * g.sw * word_vector() * 4),
        line_bytes(columns * word_vector() * 4) {}

  std::int64_t padding_line() const { return slots * per_pixel; }
  std::int64_t pointers() const { return (padding_line() + 1) * line_bytes + overrun; }
  std::int64_t made_rows() const { return pointers() + lines * static_cast<std::int64_t>(sizeof(void*)); }
  std::int64_t bytes() const { return made_rows() + slots * static_cast<std::int64_t>(sizeof(std::int64_t)); }
};

/// Pixels in a line of memory, and how many of them may be read a vector at a time without leaving the tensor.
struct Pixels {
  const std::uint8_t* from;
  std::int64_t step, count;

  std::int64_t readable(const std::uint8_t* end, std::int64_t bytes) const {
    if (step == 0 || (count - 1) * step + bytes <= end - from) return count;
    return end - from < bytes ? 0 : (end - from - bytes) / step + 1;
  }
};

template <bool Signed>
HWY_INLINE Word load_codes(const std::uint8_t* from) {
  if constexpr (Signed) {
    const hn::Rebind<std::int8_t, Words32> narrow;
    return hn::PromoteTo(Words32(), hn::LoadU(narrow, reinterpret_cast<const std::int8_t*>(from)));
  } else {
    const hn::Rebind<std::uint8_t, Words32> narrow;
    return hn::PromoteTo(Words32(), hn::LoadU(narrow, from));
  }
}

HWY_INLINE void store_words(Word word, std::byte* to) { hn::Store(word, Words32(), reinterpret_cast<std::int32_t*>(to)); }

/// A code of each row side by side, as they are or in 16 bits.
template <int Count, bool Pairs, bool Signed>
HWY_NOINLINE void combine(const Pixels* rows, std::int64_t pixels, [[maybe_unused]] int offset, std::byte* to) {
  const std::int64_t bytes = word_vector() * 4;
  const std::uint8_t* from[Count];
  std::int64_t steps[Count];
  for (int s = 0; s < Count; ++s) {
    from[s] = rows[s].from;
    steps[s] = rows[s].step;
  }
#if QFW_MULTIPLIES_BYTES
  const auto offsets = hn::Set(DU8(), static_cast<std::uint8_t>(offset));
#endif
  for (std::int64_t x = 0; x < pixels; ++x, to += bytes) {
    Word word = load_codes<Signed>(from[0]);
    if constexpr (Signed) word = hn::And(word, hn::Set(Words32(), 0xffff));
    if constexpr (Count > 1) word = hn::Or(word, hn::ShiftLeft < Pairs ? 16 : 8 > (load_codes<Signed>(from[1])));
    if constexpr (Count > 2) word = hn::Or(word, hn::ShiftLeft<16>(load_codes<Signed>(from[2])));
    if constexpr (Count > 3) word = hn::Or(word, hn::ShiftLeft<24>(load_codes<Signed>(from[3])));
#if QFW_MULTIPLIES_BYTES
    if constexpr (!Pairs) word = hn::BitCast(Words32(), hn::Add(hn::BitCast(DU8(), word), offsets));
#endif
    store_words(word, to);
#pragma GCC unroll 4
    for (int s = 0; s < Count; ++s) from[s] += steps[s];
  }
}

using Combine = void (*)(const Pixels*, std::int64_t, int, std::byte*);
constexpr Combine combine_pairs[2][2] = {{combine<1, true, false>, combine<2, true, false>},
                                         {combine<1, true, true>, combine<2, true, true>}};
constexpr Combine combine_quads[] = {combine<1, false, false>, combine<2, false, false>, combine<3, false, false>,
                                     combine<4, false, false>};

/// Gives each lane the word of another one.
HWY_NOINLINE void permute(const std::int32_t* lanes, std::int64_t pixels, std::byte* line) {
  const Words32 d;
  const auto indices = hn::SetTableIndices(d, lanes);
  for (std::int64_t x = 0; x < pixels; ++x, line += word_vector() * 4) {
    store_words(hn::TableLookupLanes(load_words(line), indices), line);
  }
}

#if QFW_MULTIPLIES_BYTES
/// Words of successive channels, a vector from each pixel on, of which each lane takes one.
template <bool Pairs, bool Signed>
HWY_NOINLINE void gather(const Pixels& row, std::int64_t pixels, const std::int32_t* lanes, int offset, std::byte* to) {
  const Words32 d;
  const auto indices = hn::SetTableIndices(d, lanes);
  const auto offsets = hn::Set(DU8(), static_cast<std::uint8_t>(offset));
  const std::uint8_t* from = row.from;
  const std::int64_t step = row.step;
  for (std::int64_t x = 0; x < pixels; ++x, from += step, to += word_vector() * 4) {
    Word word;
    if constexpr (!Pairs) {
      word = hn::BitCast(d, hn::Add(hn::LoadU(DU8(), from), offsets));
    } else {
      using Code = std::conditional_t<Signed, std::int8_t, std::uint8_t>;
      const hn::Rebind<Code, D16> narrow;
      word = hn::BitCast(d, hn::PromoteTo(D16(), hn::LoadU(narrow, reinterpret_cast<const Code*>(from))));
    }
    store_words(hn::TableLookupLanes(word, indices), to);
  }
}
#endif

class LineMaker {
 public:
  LineMaker(const WordProduct& product, const Spread& spread)
      : signed_(product.src_signed),
        pairs_(codes_per_word(product.loop) == 2),
        offset_(pairs_ ? 0 : product.offset),
        spread_(spread),
        end_(product.src + product.geometry.n * product.geometry.h * product.geometry.w * product.geometry.c) {
    const int shift = pairs_ ? 1 : 2;
    in_one_vector_ = spread.reach >> shift < lanes_;
    for (std::int64_t l = 0; l < lanes_; ++l) {
      word_offsets_[l] = spread.offsets[l] >> shift;
      in_one_vector_ = in_one_vector_ && word_offsets_[l] << shift == spread.offsets[l];
    }
  }

  /// Words of a code of each of `count` rows; rows of the same length.
  void of_rows(const Pixels* rows, int count, std::byte* to) const {
    std::int64_t ready = rows[0].count;
    for (int s = 0; s < count; ++s) ready = std::min(ready, rows[s].readable(end_, lanes_));
    (pairs_ ? combine_pairs[signed_][count - 1] : combine_quads[count - 1])(rows, ready, offset_, to);
    if (!spread_.as_it_is) permute(spread_.offsets, ready, to);
    for (std::int64_t x = ready; x < rows[0].count; ++x) {
      for (std::int64_t l = 0; l < lanes_; ++l) {
        for (int s = 0; s < count; ++s) {
          put(to, x, l, s, l < spread_.count ? rows[s].from + x * rows[s].step + spread_.offsets[l] : nullptr);
        }
      }
    }
  }

  /// Words of successive channels of each lane's group, `count` of them in all that are left in it.
  void of_channels(const Pixels& row, std::int64_t count, std::byte* to) const {
    const std::int64_t codes = pairs_ ? 2 : 4;
    std::int64_t x = 0;
#if QFW_MULTIPLIES_BYTES
    if (count >= codes && in_one_vector_) {
      x = row.readable(end_, lanes_ * codes);
      (pairs_ ? signed_ ? gather<true, true> : gather<true, false> : gather<false, false>)(row, x, word_offsets_, offset_, to);
    }
#endif
    for (; x < row.count; ++x) {
      for (std::int64_t l = 0; l < lanes_; ++l) {
        for (int s = 0; s < codes; ++s) {
          const bool inside = l < spread_.count && s < count;
          put(to, x, l, s, inside ? row.from + x * row.step + spread_.offsets[l] + s : nullptr);
        }
      }
    }
  }

 private:
  void put(std::byte* to, std::int64_t x, std::int64_t l, int s, const std::uint8_t* code) const {
    const std::uint8_t bits = code == nullptr ? std::uint8_t{0} : *code;
    std::byte* word = to + (x * lanes_ + l) * 4;
    if (pairs_) {
      const auto value = static_cast<std::int16_t>(signed_ ? static_cast<std::int8_t>(bits) : bits);
      std::memcpy(word + 2 * s, &value, sizeof(value));
    } else {
      word[s] = static_cast<std::byte>(bits + offset_);
    }
  }

  const bool signed_, pairs_;
  const int offset_;
  const Spread& spread_;
  const std::uint8_t* const end_;
  const std::int64_t lanes_ = word_vector();
  bool in_one_vector_ = true;  ///< of words that are successive channels: what all lanes meet
  HWY_ALIGN std::int32_t word_offsets_[hn::MaxLanes(Words32())];
};

void multiply_row(WordLoop loop, const WordRow& row) {
  switch (loop) {
    case WordLoop::pairs:
      return multiply_row<SumPairs>(row);
    case WordLoop::quads:
#if QFW_MULTIPLIES_BYTES
      return multiply_row<SumQuads>(row);
#else
      return;
#endif
    case WordLoop::vnni:
      return multiply_vnni(row);
  }
}

class Multiplication {
 public:
  Multiplication(const WordProduct& product, std::byte* buffer)
      : product_(product),
        g_(product.geometry),
        layout_(g_, product.loop),
        buffer_(buffer),
        lines_(reinterpret_cast<const std::byte**>(buffer + layout_.pointers())),
        made_(reinterpret_cast<std::int64_t*>(buffer + layout_.made_rows())),
        pixels_(std::clamp<std::int64_t>(layout_.columns - g_.left, 0, g_.w)) {}

  void run(std::int64_t row, std::int64_t row_end) {
    // Zeros beside the image, and a line for rows outside.
    const int padding = layout_.codes == 4 ? product_.offset : 0;
    std::memset(buffer_, padding, static_cast<std::size_t>(layout_.pointers()));
    const std::int64_t bytes = g_.sh * g_.w * g_.c + 4 * g_.ow * g_.o, band = std::max<std::int64_t>(band_bytes / bytes, 1);
    while (row < row_end) {
      const std::int64_t image = row / g_.oh, y = row % g_.oh, y_end = std::min({y + band, g_.oh, y + row_end - row});
      for (std::int64_t o = 0; o < g_.o; o += word_vector()) {
        const Spread spread(g_, o / word_vector(), word_vector());
        const LineMaker maker(product_, spread);
        std::fill(made_, made_ + layout_.slots, nothing);
        for (std::int64_t i = y; i < y_end; ++i) {
          find_lines(maker, product_.src + image * g_.h * g_.w * g_.c + spread.first, i * g_.sh - g_.top);
          add_up((image * g_.oh + i) * g_.ow * g_.o, o, spread.count);
        }
      }
      row += y_end - y;
    }
  }

 private:
  static constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();

  std::byte* line(std::int64_t number) const { return buffer_ + number * layout_.line_bytes; }

  /// What rows [top, top + kh) of the image are in words; those of results before have left some.
  void find_lines(const LineMaker& maker, const std::uint8_t* src, std::int64_t top) {
    const std::int64_t per = layout_.per_pixel, step = layout_.of_rows ? layout_.codes : 1;
    std::int64_t row = top;
    for (std::int64_t n = 0; n < layout_.lines; n += per, row += step) {
      const bool outside = !layout_.of_rows && (row < 0 || row >= g_.h);
      const std::int64_t slot = (row + g_.top) % layout_.slots;
      if (!outside && made_[slot] != row) {
        make_lines(maker, src, row, line(slot * per) + g_.left * word_vector() * 4);
        made_[slot] = row;
      }
      for (std::int64_t p = 0; p < per; ++p) lines_[n + p] = line(outside ? layout_.padding_line() : slot * per + p);
    }
  }

  void make_lines(const LineMaker& maker, const std::uint8_t* src, std::int64_t row, std::byte* to) const {
    if (!layout_.of_rows) {
      for (std::int64_t q = 0; q < g_.cg(); q += layout_.codes, to += layout_.line_bytes) {
        maker.of_channels({src + row * g_.w * g_.c + q, g_.c, pixels_}, g_.cg() - q, to);
      }
      return;
    }
    static constexpr std::uint8_t zeros[hn::MaxLanes(Words32())] = {};
    Pixels rows[4];
    const std::int64_t count = std::min(layout_.codes, g_.kh);
    for (std::int64_t s = 0; s < count; ++s) {
      const bool outside = row + s < 0 || row + s >= g_.h;
      rows[s] = outside ? Pixels{zeros, 0, pixels_} : Pixels{src + (row + s) * g_.w * g_.c, g_.c, pixels_};
    }
    maker.of_rows(rows, static_cast<int>(count), to);
  }

  void add_up(std::int64_t row, std::int64_t o, std::int64_t channels) const {
    const std::int64_t words = layout_.lines * g_.kw;
    multiply_row(product_.loop, {.lines = lines_,
                                 .line_count = layout_.lines,
                                 .kernel_width = g_.kw,
                                 .stride = g_.sw,
                                 .pixels = g_.ow,
                                 .weights = product_.weights + o * words * 4,
                                 .compensation = product_.compensation == nullptr ? nullptr : product_.compensation + o,
                                 .widen_after = product_.widen_after,
                                 .dst = product_.dst + row + o,
                                 .dst_step = g_.o,
                                 .channels = channels,
                                 .stream = product_.stream});
  }

  const WordProduct& product_;
  const Geometry& g_;
  const Layout layout_;
  std::byte* const buffer_;
  const std::byte** const lines_;
  std::int64_t* const made_;   ///< whose lines are in a slot: the first row's number
  const std::int64_t pixels_;  ///< of a row of the image that a kernel meets
};

void multiply_words(const WordProduct& product, const WordRows& rows) {
  Multiplication(product, rows.buffer).run(rows.row, rows.row_end);
  if (product.stream) hwy::FlushStream();
}

void pack(const WordProduct& product, const std::int8_t* weights, std::int64_t v, std::byte* packed,
          std::int32_t* compensation) {
  const Geometry& g = product.geometry;
  const Layout layout(g, product.loop);
  const std::int64_t lanes = word_vector(), o = v * lanes, count = std::min(lanes, g.o - o);
  if (compensation != nullptr) std::fill(compensation, compensation + lanes, 0);
  for (std::int64_t word = 0; word < layout.lines * g.kw; ++word, packed += lanes * 4) {
    const std::int64_t line = word / g.kw, j = word % g.kw;
    for (std::int64_t s = 0; s < layout.codes; ++s) {
      const std::int64_t i = layout.of_rows ? line * layout.codes + s : line / layout.per_pixel;
      const std::int64_t q = layout.of_rows ? 0 : line % layout.per_pixel * layout.codes + s;
      const std::int8_t* from = i < g.kh && q < g.cg() ? weights + ((i * g.kw + j) * g.cg() + q) * g.o + o : nullptr;
      for (std::int64_t l = 0; l < lanes; ++l) {
        const std::int8_t w = from != nullptr && l < count ? from[l] : std::int8_t{0};
        if (layout.codes == 2) {
          reinterpret_cast<std::int16_t*>(packed)[l * 2 + s] = w;
        } else {
          reinterpret_cast<std::int8_t*>(packed)[l * 4 + s] = w;
        }
        if (compensation != nullptr) compensation[l] += w * product.offset;
      }
    }
  }
}

std::int64_t lanes() { return word_vector(); }
std::int64_t words(const Geometry& g, WordLoop loop) { return Layout(g, loop).lines * g.kw; }
bool quads_possible() { return bytes_possible(); }
std::size_t buffer_bytes(const Geometry& g, WordLoop loop) { return static_cast<std::size_t>(Layout(g, loop).bytes()); }

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(multiply_words);
HWY_EXPORT(pack);
HWY_EXPORT(lanes);
HWY_EXPORT(words);
HWY_EXPORT(quads_possible);
HWY_EXPORT(buffer_bytes);

bool has_word_loop(WordLoop loop) {
  switch (loop) {
    case WordLoop::pairs:
      return true;
    case WordLoop::quads:
      return HWY_DYNAMIC_DISPATCH(quads_possible)();
    case WordLoop::vnni:
      return has_vnni();
  }
  return false;
}
const char* name_of(WordLoop loop) {
  switch (loop) {
    case WordLoop::pairs:
      return "s16";
    case WordLoop::quads:
      return "u8";
    case WordLoop::vnni:
      return "vnni";
  }
  return "";
}
std::int64_t word_lanes() { return HWY_DYNAMIC_DISPATCH(lanes)(); }
std::int64_t words_per_channel(const Geometry& g, WordLoop loop) { return HWY_DYNAMIC_DISPATCH(words)(g, loop); }
std::size_t word_buffer_bytes(const Geometry& g, WordLoop loop) { return HWY_DYNAMIC_DISPATCH(buffer_bytes)(g, loop); }
void pack_words(const WordProduct& product, const std::int8_t* weights, std::int64_t v, std::byte* packed,
                std::int32_t* compensation) {
  HWY_DYNAMIC_DISPATCH(pack)(product, weights, v, packed, compensation);
}
void multiply(const WordProduct& product, const WordRows& rows) { HWY_DYNAMIC_DISPATCH(multiply_words)(product, rows); }

}  // namespace qfw::cpu
#endif

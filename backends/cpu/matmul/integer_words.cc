#include "matmul/integer_words.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "matmul/integer_words_vnni.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/integer_words.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/integer_floats-inl.h"
#include "matmul/integer_words-inl.h"
#include "matmul/spread-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// How kernels and pixels are cut into words.
struct Layout {
  std::int64_t codes;      ///< of a word
  bool of_rows;            ///< a word's codes are those of successive rows, else of successive channels
  bool same;               ///< all lanes of a vector meet the same words: a line has each of them once, pixel by pixel
  std::int64_t per_pixel;  ///< of channels: words of a pixel for a channel of the output
  std::int64_t per_row;    ///< lines of a row of src
  std::int64_t lines;      ///< of words that a row of results meets
  std::int64_t slots;      ///< for lines of that many rows of src at once, `per_row` each
  std::int64_t columns;    ///< of a line
  std::int64_t column;     ///< bytes from one to the next
  std::int64_t width;      ///< words of a line that a result meets
  std::int64_t overrun;    ///< bytes that are read beyond a line where a row's results are not a multiple of four
  std::int64_t line_bytes;

  Layout(const Geometry& g, WordLoop loop)
      : codes(codes_per_word(loop)),
        of_rows(g.cg() == 1),
        same(narrow_vectors && loop != WordLoop::vnni && !of_rows && g.og() % word_vector() == 0),
        per_pixel((g.cg() + codes - 1) / codes),
        per_row(same ? 1 : per_pixel),
        lines(of_rows ? (g.kh + codes - 1) / codes : g.kh * per_row),
        slots(of_rows ? (lines - 1) * codes + 1 : g.kh),
        columns((g.ow - 1) * g.sw + g.kw),
        column(same ? per_pixel * 4 : word_vector() * 4),
        width(same ? g.kw * per_pixel : g.kw),
        overrun(whole_lines(3 * g.sw * column)),
        line_bytes(whole_lines(columns * column)) {}

  std::int64_t padding_line() const { return slots * per_row; }
  std::int64_t pointers() const { return (padding_line() + 1) * line_bytes + overrun; }
  std::int64_t made_rows() const { return pointers() + lines * static_cast<std::int64_t>(sizeof(void*)); }
  std::int64_t bytes() const { return whole_lines(made_rows() + slots * static_cast<std::int64_t>(sizeof(std::int64_t))); }
};

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

/// Successive channels of each pixel, `channels` of them or as many more as a vector has, pixels `column` bytes apart.
template <bool Pairs, bool Signed>
HWY_NOINLINE void copy_channels(const Pixels& row, std::int64_t pixels, std::int64_t channels, std::int64_t column, int offset,
                                std::byte* to) {
  const hn::CappedTag<std::uint8_t, 16> few;
  const auto offsets = hn::Set(few, static_cast<std::uint8_t>(offset));
  const auto count = static_cast<std::int64_t>(Pairs ? hn::Lanes(D16()) : hn::Lanes(few));
  const std::uint8_t* from = row.from;
  for (std::int64_t x = 0; x < pixels; ++x, from += row.step, to += column) {
    for (std::int64_t q = 0; q < channels; q += count) {
      if constexpr (!Pairs) {
        hn::StoreU(hn::Add(hn::LoadU(few, from + q), offsets), few, reinterpret_cast<std::uint8_t*>(to) + q);
      } else {
        using Code = std::conditional_t<Signed, std::int8_t, std::uint8_t>;
        const hn::Rebind<Code, D16> narrow;
        hn::StoreU(hn::PromoteTo(D16(), hn::LoadU(narrow, reinterpret_cast<const Code*>(from + q))), D16(),
                   reinterpret_cast<std::int16_t*>(to) + q);
      }
    }
  }
}
#endif

class LineMaker {
 public:
  LineMaker(const WordProduct& product, const Spread& spread)
      : signed_(product.src_signed),
        codes_(static_cast<int>(codes_per_word(product.loop))),
        offset_(codes_ == 4 ? product.offset : 0),
        spread_(spread),
        end_(product.src + product.geometry.n * product.geometry.h * product.geometry.w * product.geometry.c) {
    const int shift = codes_ / 2;
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
    (codes_ == 2 ? combine_pairs[signed_][count - 1] : combine_quads[count - 1])(rows, ready, offset_, to);
    if (!spread_.as_it_is) permute(spread_.offsets, ready, to);
    for (std::int64_t x = ready; x < rows[0].count; ++x) {
      for (std::int64_t l = 0; l < lanes_; ++l) {
        for (int s = 0; s < count; ++s) {
          put(to + (x * lanes_ + l) * 4, s, l < spread_.count ? rows[s].from + x * rows[s].step + spread_.offsets[l] : nullptr);
        }
      }
    }
  }

  /// Words of successive channels of each lane's group, `count` of them in all that are left in it.
  void of_channels(const Pixels& row, std::int64_t count, std::byte* to) const {
    std::int64_t x = 0;
#if QFW_MULTIPLIES_BYTES
    if (count >= codes_ && in_one_vector_) {
      x = row.readable(end_, lanes_ * codes_);
      (codes_ == 2 ? signed_ ? gather<true, true> : gather<true, false> : gather<false, false>)(row, x, word_offsets_, offset_,
                                                                                                to);
    }
#endif
    for (; x < row.count; ++x) {
      for (std::int64_t l = 0; l < lanes_; ++l) {
        for (int s = 0; s < codes_; ++s) {
          const bool inside = l < spread_.count && s < count;
          put(to + (x * lanes_ + l) * 4, s, inside ? row.from + x * row.step + spread_.offsets[l] + s : nullptr);
        }
      }
    }
  }

  /// Words of a pixel's channels, `channels` of them, that all lanes meet; what is left of the last word is never multiplied.
  void of_pixels(const Pixels& row, std::int64_t channels, std::int64_t column, std::byte* to) const {
    std::int64_t x = 0;
#if QFW_MULTIPLIES_BYTES
    const std::int64_t size = codes_ == 2 ? 2 : 1, vector = codes_ == 2 ? static_cast<std::int64_t>(hn::Lanes(D16())) : 16;
    const std::int64_t copied = (channels + vector - 1) / vector * vector;
    const std::int64_t beyond = std::max<std::int64_t>(copied * size - column, 0);  // what is written of pixels to come
    x = std::clamp<std::int64_t>(row.count - (beyond + column - 1) / column, 0, row.readable(end_, copied));
    (codes_ == 2 ? signed_ ? copy_channels<true, true> : copy_channels<true, false>
                 : copy_channels<false, false>)(row, x, channels, column, offset_, to);
#endif
    for (; x < row.count; ++x) {
      for (std::int64_t q = 0; q < channels; ++q) {
        put(to + x * column + q / codes_ * 4, static_cast<int>(q % codes_), row.from + x * row.step + q);
      }
    }
  }

 private:
  void put(std::byte* word, int s, const std::uint8_t* code) const {
    const std::uint8_t bits = code == nullptr ? std::uint8_t{0} : *code;
    const int number = signed_ ? static_cast<std::int8_t>(bits) : bits;
    if (codes_ == 2) {
      const auto value = static_cast<std::int16_t>(number);
      std::memcpy(word + 2 * s, &value, sizeof(value));
    } else {
      word[s] = static_cast<std::byte>(bits + offset_);
    }
  }

  const bool signed_;
  const int codes_, offset_;
  const Spread& spread_;
  const std::uint8_t* const end_;
  const std::int64_t lanes_ = word_vector();
  bool in_one_vector_ = true;  ///< of words that are successive channels: what all lanes meet
  HWY_ALIGN std::int32_t word_offsets_[hn::MaxLanes(Words32())];
};

void multiply_row(WordLoop loop, const WordRow& row) {
  switch (loop) {
    case WordLoop::pairs:
      return row.same ? multiply_same<AnyWidth<SumPairs, true>>(row) : multiply_row<SumPairs>(row);
    case WordLoop::quads:
#if QFW_MULTIPLIES_BYTES
      if (row.same) return multiply_same<WidenedQuads<true>>(row);
      if (!narrow_vectors || row.widen_after < row.line_count * row.width) return multiply_by_stride<WidenedQuads<false>>(row);
      return multiply_row<SumQuads>(row);
#else
      return;
#endif
    case WordLoop::vnni:
      return multiply_vnni(row);
    case WordLoop::floats:  // are no words
      return;
  }
}

/// What one vector of output channels meets.
class OneVector {
 public:
  OneVector(const WordProduct& product, const Layout& layout, std::byte* buffer, std::int64_t o)
      : product_(product),
        g_(product.geometry),
        layout_(layout),
        o_(o),
        spread_(g_, o / word_vector(), word_vector()),
        maker_(product, spread_),
        buffer_(buffer),
        lines_(reinterpret_cast<const std::byte**>(buffer + layout.pointers())),
        made_(reinterpret_cast<std::int64_t*>(buffer + layout.made_rows())),
        pixels_(std::clamp<std::int64_t>(layout.columns - g_.left, 0, g_.w)) {
    forget();
  }

  /// Row y of an image's results; the rows of an image one after the other.
  void add_up(std::int64_t image, std::int64_t y, std::int32_t* dst, std::int64_t dst_step, std::int64_t ahead, bool stream) {
    if (y == 0) forget();
    find_lines(product_.src + image * g_.h * g_.w * g_.c + spread_.first, y * g_.sh - g_.top);
    multiply_row(product_.loop, {.lines = lines_,
                                 .line_count = layout_.lines,
                                 .width = layout_.width,
                                 .stride = layout_.same ? g_.sw * layout_.per_pixel : g_.sw,
                                 .same = layout_.same,
                                 .pixels = g_.ow,
                                 .weights = product_.weights + o_ * layout_.lines * layout_.width * 4,
                                 .compensation = product_.compensation == nullptr ? nullptr : product_.compensation + o_,
                                 .widen_after = product_.widen_after,
                                 .dst = dst,
                                 .dst_step = dst_step,
                                 .ahead = ahead,
                                 .channels = spread_.count,
                                 .stream = stream});
  }

 private:
  static constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();

  void forget() { std::fill(made_, made_ + layout_.slots, nothing); }

  std::byte* line(std::int64_t number) const { return buffer_ + number * layout_.line_bytes; }

  /// What rows [top, top + kh) of the image are in words; those of results before have left some.
  void find_lines(const std::uint8_t* src, std::int64_t top) {
    const std::int64_t per = layout_.per_row, step = layout_.of_rows ? layout_.codes : 1;
    std::int64_t row = top, slot = static_cast<std::uint32_t>(row + g_.top) % static_cast<std::uint32_t>(layout_.slots);
    for (std::int64_t n = 0; n < layout_.lines; n += per, row += step, slot += step) {
      const bool outside = row + step <= 0 || row >= g_.h;
      if (slot >= layout_.slots) slot -= layout_.slots;
      if (!outside && made_[slot] != row) {
        make_lines(src, row, line(slot * per) + g_.left * layout_.column);
        made_[slot] = row;
      }
      for (std::int64_t p = 0; p < per; ++p) lines_[n + p] = line(outside ? layout_.padding_line() : slot * per + p);
    }
  }

  void make_lines(const std::uint8_t* src, std::int64_t row, std::byte* to) const {
    if (layout_.same) return maker_.of_pixels({src + row * g_.w * g_.c, g_.c, pixels_}, g_.cg(), layout_.column, to);
    if (!layout_.of_rows) {
      for (std::int64_t q = 0; q < g_.cg(); q += layout_.codes, to += layout_.line_bytes) {
        maker_.of_channels({src + row * g_.w * g_.c + q, g_.c, pixels_}, g_.cg() - q, to);
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
    maker_.of_rows(rows, static_cast<int>(count), to);
  }

  const WordProduct& product_;
  const Geometry& g_;
  const Layout& layout_;
  const std::int64_t o_;
  const Spread spread_;
  const LineMaker maker_;
  std::byte* const buffer_;
  const std::byte** const lines_;
  std::int64_t* const made_;   ///< whose lines are in a slot: the first row's number
  const std::int64_t pixels_;  ///< of a row of the image that a kernel meets
};

class Multiplication {
 public:
  Multiplication(const WordProduct& product, std::byte* buffer)
      : product_(product), g_(product.geometry), layout_(g_, product.loop), buffer_(buffer) {}

  void run(std::int64_t row, std::int64_t row_end) {
    // Zeros beside the image, and a line for rows outside.
    const int padding = layout_.codes == 4 ? product_.offset : 0;
    for (std::int64_t v = 0; v < vectors_at_once; ++v) {
      std::memset(buffer_ + v * layout_.bytes(), padding, static_cast<std::size_t>(layout_.pointers()));
    }
    const std::int64_t band = band_rows(g_);
    for (; row < row_end; row += band) {
      for (std::int64_t o = 0; o < g_.o; o += word_vector() * vectors_at_once) add_up(row, std::min(row + band, row_end), o);
    }
  }

 private:
  void add_up(std::int64_t row, std::int64_t row_end, std::int64_t o) const {
    std::optional<OneVector> vectors[vectors_at_once];
    for (std::int64_t v = 0; v < vectors_at_once; ++v) {
      const std::int64_t first = o + v * word_vector();
      if (first < g_.o) vectors[v].emplace(product_, layout_, buffer_ + v * layout_.bytes(), first);
    }
    // Whole lines are gathered from several vectors.
    const bool gathered = vectors_at_once > 1 && product_.stream;
    const std::int64_t channels = vectors_at_once * word_vector();
    auto* line = reinterpret_cast<std::int32_t*>(buffer_ + vectors_at_once * layout_.bytes());
    const std::int64_t first_row = row;
    std::int64_t image = row / g_.oh, y = row % g_.oh;
    for (; row < row_end; ++row, ++y) {
      if (y == g_.oh) {
        y = 0;
        ++image;
      }
      std::int32_t* dst = product_.dst + row * g_.ow * g_.o + o;
      const std::int64_t ahead = row + 1 < row_end ? g_.ow * g_.o : (first_row - row) * g_.ow * g_.o + channels;
      for (std::int64_t v = 0; v < vectors_at_once; ++v) {
        if (!vectors[v]) continue;
        const std::int64_t first = v * word_vector();
        if (gathered) {
          vectors[v]->add_up(image, y, line + first, channels, 0, false);
        } else {
          vectors[v]->add_up(image, y, dst + first, g_.o, ahead, product_.stream);
        }
      }
      if (gathered) stream_lines(line, g_.ow, g_.o, dst);
    }
  }

  const WordProduct& product_;
  const Geometry& g_;
  const Layout layout_;
  std::byte* const buffer_;
};

void multiply_words(const WordProduct& product, const WordRows& rows) {
  if (product.loop == WordLoop::floats) {
    FloatProduct(product, rows.buffer).run(rows.row, rows.row_end);
  } else {
    Multiplication(product, rows.buffer).run(rows.row, rows.row_end);
  }
  if (product.stream) hwy::FlushStream();
}

void pack(const WordProduct& product, const std::int8_t* weights, std::int64_t v, std::byte* packed,
          std::int32_t* compensation) {
  const Geometry& g = product.geometry;
  if (product.loop == WordLoop::floats) return pack_floats(g, weights, v, packed);
  const Layout layout(g, product.loop);
  const std::int64_t lanes = word_vector(), o = v * lanes, count = std::min(lanes, g.o - o), of_line = layout.per_pixel;
  if (compensation != nullptr) std::fill(compensation, compensation + lanes, 0);
  for (std::int64_t word = 0; word < layout.lines * layout.width; ++word, packed += lanes * 4) {
    const std::int64_t line = word / layout.width, step = word % layout.width;
    const std::int64_t j = layout.same ? step / of_line : step, first = layout.same ? step % of_line : line % of_line;
    for (std::int64_t s = 0; s < layout.codes; ++s) {
      const std::int64_t i = layout.of_rows ? line * layout.codes + s : line / layout.per_row;
      const std::int64_t q = layout.of_rows ? 0 : first * layout.codes + s;
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
std::int64_t channels() { return word_vector() * vectors_at_once; }
bool floats_preferred() { return narrow_vectors; }
std::int64_t words(const Geometry& g, WordLoop loop) {
  const Layout layout(g, loop);
  return layout.lines * layout.width;
}
bool quads_possible() { return bytes_possible(); }
std::size_t buffer_bytes(const Geometry& g, WordLoop loop) {
  if (loop == WordLoop::floats) return static_cast<std::size_t>(FloatLayout(g).bytes(g));
  return static_cast<std::size_t>(vectors_at_once * (Layout(g, loop).bytes() + g.ow * word_vector() * 4));
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(multiply_words);
HWY_EXPORT(pack);
HWY_EXPORT(lanes);
HWY_EXPORT(channels);
HWY_EXPORT(floats_preferred);
HWY_EXPORT(words);
HWY_EXPORT(quads_possible);
HWY_EXPORT(buffer_bytes);

bool has_word_loop(WordLoop loop) {
  switch (loop) {
    case WordLoop::pairs:
    case WordLoop::floats:
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
    case WordLoop::floats:
      return "f32";
    case WordLoop::vnni:
      return "vnni";
  }
  return "";
}
bool floats_are_faster() { return HWY_DYNAMIC_DISPATCH(floats_preferred)(); }
std::int64_t word_lanes() { return HWY_DYNAMIC_DISPATCH(lanes)(); }
std::int64_t word_channels() { return HWY_DYNAMIC_DISPATCH(channels)(); }
std::int64_t words_per_channel(const Geometry& g, WordLoop loop) { return HWY_DYNAMIC_DISPATCH(words)(g, loop); }
std::size_t word_buffer_bytes(const Geometry& g, WordLoop loop) { return HWY_DYNAMIC_DISPATCH(buffer_bytes)(g, loop); }
void pack_words(const WordProduct& product, const std::int8_t* weights, std::int64_t v, std::byte* packed,
                std::int32_t* compensation) {
  HWY_DYNAMIC_DISPATCH(pack)(product, weights, v, packed, compensation);
}
void multiply(const WordProduct& product, const WordRows& rows) { HWY_DYNAMIC_DISPATCH(multiply_words)(product, rows); }

}  // namespace qfw::cpu
#endif

// Products of one code per channel as floats, exact where 24 bits hold all sums. Included once per instruction set.
#if defined(QFW_CPU_INTEGER_FLOATS) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_INTEGER_FLOATS
#undef QFW_CPU_INTEGER_FLOATS
#else
#define QFW_CPU_INTEGER_FLOATS
#endif

#include <algorithm>
#include <cstring>
#include <optional>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "matmul/integer_words-inl.h"
#include "matmul/spread-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Rows of src as floats, of a block of channels: the vectors that are gone through together. Pixels lie side by side, those
/// beside the image are zeros, and there are no rows outside of it.
struct FloatLayout {
  // Beside results and what they are made of in the first-level cache.
  static constexpr std::int64_t kept_bytes = 16 << 10;

  std::int64_t column;      ///< bytes from one pixel to the next
  std::int64_t line_bytes;  ///< from one row to the next
  std::int64_t lines;       ///< rows that are kept; one more takes the place of the first
  std::int64_t rows;        ///< of results, whose kernels meet no more than these

  explicit FloatLayout(const Geometry& g)
      : column(vectors_at_once * word_vector() * 4),
        line_bytes(((g.ow - 1) * g.sw + g.kw) * column),
        lines(std::min(std::max(kept_bytes / line_bytes, g.kh), g.h)),
        rows(lines == g.h ? g.oh : (lines - g.kh) / g.sh + 1) {}

  std::int64_t pointers() const { return whole_lines(lines * line_bytes); }
  std::int64_t gathered(const Geometry& g) const {
    return whole_lines(pointers() + g.h * static_cast<std::int64_t>(sizeof(void*)));
  }
  std::int64_t bytes(const Geometry& g) const { return gathered(g) + g.ow * column; }
};

void pack_floats(const Geometry& g, const std::int8_t* weights, std::int64_t v, std::byte* packed) {
  const std::int64_t lanes = word_vector(), count = std::min(lanes, g.o - v * lanes), words = g.kh * g.kw;
  auto* to = reinterpret_cast<float*>(packed);
  const std::int8_t* from = weights + v * lanes;
  if (count == lanes) {
    const hn::ScalableTag<float> d;
    for (std::int64_t word = 0; word < words; ++word, from += g.o, to += lanes) {
      hn::Store(hn::ConvertTo(d, load_codes<true>(reinterpret_cast<const std::uint8_t*>(from))), d, to);
    }
    return;
  }
  for (std::int64_t word = 0; word < words; ++word, from += g.o, to += lanes) {
    for (std::int64_t l = 0; l < lanes; ++l) to[l] = l < count ? static_cast<float>(from[l]) : 0.0f;
  }
}

/// Pixels of rows of src for each vector of a block.
struct FloatPixels {
  const std::uint8_t* from[vectors_at_once];
  const std::int32_t* lanes[vectors_at_once];  ///< of codes from there on, for each lane
  std::int64_t step, count, line;              ///< bytes to the next pixel; pixels of a row; bytes to the next row
};

/// To pixel `left` of each of these lines.
template <bool Signed, bool Permuted, int Vectors>
HWY_NOINLINE void convert_pixels(const FloatPixels& pixels, std::byte* const* lines, std::int64_t rows, std::int64_t left) {
  const Words32 d;
  const hn::ScalableTag<float> df;
  const std::int64_t bytes = word_vector() * 4, step = pixels.step, column = vectors_at_once * bytes;
  decltype(hn::SetTableIndices(d, pixels.lanes[0])) lanes[Vectors];
  for (int v = 0; v < Vectors; ++v) {
    if constexpr (Permuted) lanes[v] = hn::SetTableIndices(d, pixels.lanes[v]);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::uint8_t* from[Vectors];
    for (int v = 0; v < Vectors; ++v) from[v] = pixels.from[v] + row * pixels.line;
    std::byte* to = lines[row] + left * column;
    for (std::int64_t x = pixels.count; x > 0; --x, to += column) {
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) {
        Word codes = load_codes<Signed>(from[v]);
        if constexpr (Permuted) codes = hn::TableLookupLanes(codes, lanes[v]);
        store_words(hn::BitCast(d, hn::ConvertTo(df, codes)), to + v * bytes);
        from[v] += step;
      }
    }
  }
}

/// Successive rows of results of a block.
struct FloatRows {
  std::int64_t width, stride;  ///< of the kernel, from one result to the next
  // Tiles of results that registers hold: `wide` of them have one more than others.
  std::int64_t narrow, wide, tile;
  std::int64_t vectors, channels;  ///< channels: of the last vector
  const std::byte* const* lines;   ///< for each row of src
  std::int64_t height;             ///< rows of src
  std::int64_t top, down, reach;   ///< rows of src: the first that the first kernel meets, from one to the next, for a kernel
  const std::byte* weights;        ///< [line][word][lane]
  std::int64_t weights_step;       ///< from one vector's to the next
  std::int32_t* dst;
  std::int64_t rows, dst_row, dst_step;
  std::int64_t ahead, ahead_of_last;  ///< of a result, to that which is stored in the row to come
};

/// What a row of results meets.
struct FloatRow {
  const std::byte* const* lines;  ///< those in the image
  std::int64_t line_count;
  const std::byte* weights;  ///< of these
  std::int32_t* dst;
  std::int64_t ahead;
};

/// `Count` results from pixel x on. Width and stride: 0 if there is no loop of its own for them.
template <int Width, int Stride, int Count>
HWY_INLINE void float_results(const FloatRows& rows, const FloatRow& row, std::int64_t v, std::int64_t x) {
  const hn::ScalableTag<float> d;
  const Words32 dw;
  const std::int64_t bytes = word_vector() * 4, column = vectors_at_once * bytes;
  const std::int64_t stride = Stride == 0 ? rows.stride : Stride;
  const auto load = [&](const std::byte* from) { return hn::Load(d, reinterpret_cast<const float*>(from)); };
  hn::Vec<hn::ScalableTag<float>> sums[Count];
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) sums[i] = hn::Zero(d);
  const std::byte* weights = row.weights + v * rows.weights_step;
  const std::int64_t from = x * stride * column + v * bytes;
  const auto add_line = [&](std::int64_t l) HWY_ATTR {
    // Else the compiler would compute the offset of each word once, and have no registers for them.
    const auto* words = static_cast<const std::byte*>(HWY_ASSUME_ALIGNED(row.lines[l] + from, hn::MaxLanes(d) * sizeof(float)));
    if constexpr (Width == 0) {
      for (std::int64_t j = 0; j < rows.width; ++j, words += column, weights += bytes) {
        const auto weight = load(weights);
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) sums[i] = hn::MulAdd(load(words + i * stride * column), weight, sums[i]);
      }
    } else {
      // Each word is read once and multiplied by all weights that it meets.
      hn::Vec<hn::ScalableTag<float>> weight[Width];
#pragma GCC unroll 8
      for (int j = 0; j < Width; ++j, weights += bytes) weight[j] = load(weights);
#pragma GCC unroll 32
      for (int k = 0; k < (Count - 1) * Stride + Width; ++k) {
        const auto word = load(words + k * column);
#pragma GCC unroll 8
        for (int j = 0; j < Width; ++j) {
          const int i = k - j;
          if (i < 0 || i % Stride != 0 || i / Stride >= Count) continue;
          sums[i / Stride] = hn::MulAdd(word, weight[j], sums[i / Stride]);
        }
      }
    }
  };
  if (Width > 0 && row.line_count == Width) {
#pragma GCC unroll 8
    for (int l = 0; l < Width; ++l) add_line(l);
  } else {
    for (std::int64_t l = 0; l < row.line_count; ++l) add_line(l);
  }
  const std::int64_t step = rows.dst_step, ahead = row.ahead;
  std::int32_t* to = row.dst + x * step + v * word_vector();
  if (v + 1 < rows.vectors || rows.channels == word_vector()) {
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i, to += step) {
      if (v == 0) hwy::Prefetch(to + ahead);  // what else there is lies in the same line
      hn::StoreU(whole_numbers(sums[i]), dw, to);
    }
    return;
  }
  HWY_ALIGN std::int32_t line[Count][hn::MaxLanes(dw)];
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) hn::Store(whole_numbers(sums[i]), dw, line[i]);
  for (int i = 0; i < Count; ++i, to += step) std::copy_n(line[i], rows.channels, to);
}

template <int Width, int Stride, int Tile>
HWY_INLINE void float_tiles(const FloatRows& rows) {
  FloatRow row{.dst = rows.dst};
  for (std::int64_t y = 0, top = rows.top; y < rows.rows; ++y, top += rows.down, row.dst += rows.dst_row) {
    const std::int64_t from = std::clamp<std::int64_t>(top, 0, rows.height);
    row.lines = rows.lines + from;
    row.line_count = std::min(top + rows.reach, rows.height) - from;
    row.weights = rows.weights + (from - top) * rows.width * word_vector() * 4;
    row.ahead = y + 1 < rows.rows ? rows.ahead : rows.ahead_of_last;
    for (std::int64_t v = 0; v < rows.vectors; ++v) {
      std::int64_t x = 0;
      if constexpr (Tile >= 4 && Tile < 8) {
        for (std::int64_t t = 0; t < rows.wide; ++t, x += Tile + 1) float_results<Width, Stride, Tile + 1>(rows, row, v, x);
      }
      for (std::int64_t t = 0; t < rows.narrow; ++t, x += Tile) float_results<Width, Stride, Tile>(rows, row, v, x);
    }
  }
}

template <int Width, int Stride>
HWY_NOINLINE void float_rows(const FloatRows& rows) {
  switch (rows.tile) {
    case 1:
      return float_tiles<Width, Stride, 1>(rows);
    case 2:
      return float_tiles<Width, Stride, 2>(rows);
    case 3:
      return float_tiles<Width, Stride, 3>(rows);
    case 4:
      return float_tiles<Width, Stride, 4>(rows);
    case 5:
      return float_tiles<Width, Stride, 5>(rows);
    case 6:
      return float_tiles<Width, Stride, 6>(rows);
    case 7:
      return float_tiles<Width, Stride, 7>(rows);
    default:
      return float_tiles<Width, Stride, 8>(rows);
  }
}

/// The product of whole images or of some of their rows, block by block.
class FloatProduct {
 public:
  FloatProduct(const WordProduct& product, std::byte* buffer)
      : product_(product),
        g_(product.geometry),
        layout_(g_),
        buffer_(buffer),
        lines_(reinterpret_cast<std::byte**>(buffer + layout_.pointers())),
        end_(product.src + g_.n * g_.h * g_.w * g_.c),
        pixels_(std::clamp<std::int64_t>((g_.ow - 1) * g_.sw + g_.kw - g_.left, 0, g_.w)) {
    const std::int64_t tiles = (g_.ow + 7) / 8;
    rows_ = {.width = g_.kw,
             .stride = g_.sw,
             .narrow = tiles - g_.ow % tiles,
             .wide = g_.ow % tiles,
             .tile = g_.ow / tiles,
             .lines = lines_,
             .height = g_.h,
             .down = g_.sh,
             .reach = g_.kh,
             .weights_step = g_.kh * g_.kw * word_vector() * 4,
             .dst_row = g_.ow * g_.o};
    for (std::int64_t row = 0, line = 0; row < g_.h; ++row) {
      lines_[row] = buffer + line * layout_.line_bytes;
      if (++line == layout_.lines) line = 0;
    }
    std::memset(buffer, 0, static_cast<std::size_t>(layout_.pointers()));
  }

  void run(std::int64_t row, std::int64_t row_end) {
    const std::int64_t band = band_rows(g_);
    for (; row < row_end; row += band) {
      for (std::int64_t o = 0; o < g_.o; o += vectors_at_once * word_vector()) {
        add_up(row, std::min(row + band, row_end), o);
      }
    }
  }

 private:
  void add_up(std::int64_t row, std::int64_t row_end, std::int64_t o) {
    const std::int64_t lanes = word_vector(), channels = std::min(vectors_at_once * lanes, g_.o - o), of_row = g_.ow * g_.o;
    rows_.vectors = (channels + lanes - 1) / lanes;
    rows_.channels = channels - (rows_.vectors - 1) * lanes;
    rows_.weights = product_.weights + o * g_.kh * g_.kw * 4;
    for (std::int64_t v = 0; v < rows_.vectors; ++v) spreads_[v].emplace(g_, o / lanes + v, lanes);

    const std::int64_t first_row = row;
    std::int64_t image = row / g_.oh, y = row % g_.oh, made = 0;
    while (row < row_end) {
      const std::int64_t count = std::min({layout_.rows, g_.oh - y, row_end - row}), top = y * g_.sh - g_.top;
      const std::int64_t until = std::min(top + (count - 1) * g_.sh + g_.kh, g_.h);
      made = std::max(made, top);
      if (made < until) convert(image, made, until);
      made = std::max(made, until);
      rows_.top = top;
      rows_.rows = count;
      rows_.ahead = of_row;
      rows_.ahead_of_last = row + count < row_end ? of_row : (first_row - row - count + 1) * of_row + vectors_at_once * lanes;
      add_up_rows(product_.dst + row * of_row + o);
      row += count;
      y += count;
      if (y == g_.oh) {
        y = made = 0;
        ++image;
      }
    }
  }

  void add_up_rows(std::int32_t* dst) {
    const Loop loop = this->loop();
    if (vectors_at_once == 1 || !product_.stream) {
      rows_.dst = dst;
      rows_.dst_step = g_.o;
      return loop(rows_);
    }
    // Whole lines of a cache are gathered from several vectors.
    rows_.dst = reinterpret_cast<std::int32_t*>(buffer_ + layout_.gathered(g_));
    rows_.dst_step = vectors_at_once * word_vector();
    rows_.ahead_of_last = 0;
    const std::int64_t count = rows_.rows;
    rows_.rows = 1;
    for (std::int64_t row = 0; row < count; ++row, rows_.top += g_.sh, dst += g_.ow * g_.o) {
      loop(rows_);
      stream_lines(rows_.dst, g_.ow, g_.o, dst);
    }
  }

  using Loop = void (*)(const FloatRows&);
  Loop loop() const {
    if (g_.kw == 3 && g_.sw == 1) return float_rows<3, 1>;
    if (g_.kw == 3 && g_.sw == 2) return float_rows<3, 2>;
    if (g_.kw == 5 && g_.sw == 1) return float_rows<5, 1>;
    if (g_.kw == 5 && g_.sw == 2) return float_rows<5, 2>;
    return float_rows<0, 0>;
  }

  /// Rows [row, row_end) of the image.
  void convert(std::int64_t image, std::int64_t row, std::int64_t row_end) const {
    if (pixels_ == 0) return;
    FloatPixels pixels{.from = {}, .lanes = {}, .step = g_.c, .count = pixels_, .line = g_.w * g_.c};
    bool as_it_is = true;
    for (std::int64_t v = 0; v < rows_.vectors; ++v) {
      pixels.from[v] = product_.src + (image * g_.h + row) * pixels.line + spreads_[v]->first;
      pixels.lanes[v] = spreads_[v]->offsets;
      as_it_is = as_it_is && spreads_[v]->as_it_is;
    }
    const auto convert_rows = [&](std::int64_t rows) {
      if (product_.src_signed) {
        as_it_is ? convert<true, false>(pixels, row, rows) : convert<true, true>(pixels, row, rows);
      } else {
        as_it_is ? convert<false, false>(pixels, row, rows) : convert<false, true>(pixels, row, rows);
      }
    };
    // Nothing is read beyond the tensor, where lanes of the last vector have no channels.
    const std::int64_t lanes = word_vector(), last = rows_.vectors - 1;
    const Pixels ends{pixels.from[last] + (pixels_ - 1) * g_.c, pixels.line, row_end - row};
    const std::int64_t whole = ends.readable(end_, lanes);
    if (whole > 0) convert_rows(whole);
    for (std::int64_t v = 0; v <= last; ++v) pixels.from[v] += whole * pixels.line;
    for (row += whole; row < row_end; ++row) {
      pixels.count = Pixels{pixels.from[last], g_.c, pixels_}.readable(end_, lanes);
      convert_rows(1);
      for (std::int64_t x = pixels.count; x < pixels_; ++x) convert_pixel(pixels, row, x);
      for (std::int64_t v = 0; v <= last; ++v) pixels.from[v] += pixels.line;
    }
  }

  void convert_pixel(const FloatPixels& pixels, std::int64_t row, std::int64_t x) const {
    auto* to = reinterpret_cast<float*>(lines_[row] + (g_.left + x) * layout_.column);
    for (std::int64_t v = 0; v < rows_.vectors; ++v, to += word_vector()) {
      for (std::int64_t l = 0; l < spreads_[v]->count; ++l) {
        const std::uint8_t bits = pixels.from[v][x * g_.c + pixels.lanes[v][l]];
        to[l] = static_cast<float>(product_.src_signed ? static_cast<std::int8_t>(bits) : bits);
      }
    }
  }

  template <bool Signed, bool Permuted>
  void convert(const FloatPixels& pixels, std::int64_t row, std::int64_t rows) const {
    (rows_.vectors == 1 ? convert_pixels<Signed, Permuted, 1>
                        : convert_pixels<Signed, Permuted, vectors_at_once>)(pixels, lines_ + row, rows, g_.left);
  }

  const WordProduct& product_;
  const Geometry& g_;
  const FloatLayout layout_;
  std::byte* const buffer_;
  std::byte** const lines_;  ///< where rows of src are, or would be
  const std::uint8_t* const end_;
  const std::int64_t pixels_;  ///< of a row of the image that a kernel meets
  std::optional<Spread> spreads_[vectors_at_once];
  FloatRows rows_;
};

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

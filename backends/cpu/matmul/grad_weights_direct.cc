#include "matmul/grad_weights_direct.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <type_traits>

#include "qfw/tensor.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/grad_weights_direct.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/spread-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of results that are gone through vector by vector: what they and their part of src take stays in the second-level cache.
constexpr std::int64_t band_bytes = 512 << 10;
// The same where src and grad are copied for all tiles of a vector: stays in the first-level cache.
constexpr std::int64_t copied_bytes = 20 << 10;
// A tile: so many rows of src by so many elements of the kernel's width, a sum each.
constexpr std::int64_t tile_rows = 4, tile_width = 5;
constexpr bool narrow_vectors = HWY_TARGET > HWY_AVX3;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(D())); }
std::int64_t vectors(const Geometry& g) { return (g.o + lanes() - 1) / lanes(); }

HWY_INLINE V load(const float* from) { return hn::LoadU(D(), from); }
HWY_INLINE V load(const BFloat16* from) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> half;
  return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from)))));
}

/// Channels of pixels `step` apart, lane by lane; what the next vector of channels needs is fetched ahead, since the processor
/// follows no such steps by itself.
template <class From>
HWY_NOINLINE void copy_lanes(const From* from, std::int64_t pixels, std::int64_t step, float* to) {
  const std::int64_t n = lanes();
  for (std::int64_t x = 0; x < pixels; ++x, from += step, to += n) {
    hwy::Prefetch(from + n);
    hn::Store(load(from), D(), to);
  }
}

/// The same, each lane that of another one.
template <class From>
HWY_NOINLINE void permute_lanes(const From* from, const std::int32_t* offsets, std::int64_t pixels, std::int64_t step,
                                float* to) {
  const auto indices = hn::SetTableIndices(D(), offsets);
  const std::int64_t n = lanes();
  for (std::int64_t x = 0; x < pixels; ++x, from += step, to += n) {
    hn::Store(hn::TableLookupLanes(load(from), indices), D(), to);
  }
}

template <class From>
void copy_some_lanes(const From* from, const std::int32_t* offsets, std::int64_t count, std::int64_t pixels, std::int64_t step,
                     float* to) {
  for (std::int64_t x = 0; x < pixels; ++x, from += step, to += lanes()) {
    for (std::int64_t l = 0; l < lanes(); ++l) to[l] = l < count ? static_cast<float>(from[offsets[l]]) : 0.0f;
  }
}

/// Pixels of src, which ends at `end`, as [pixel][lane]: what each lane's channel meets.
template <class From>
void spread_pixels(const Spread& spread, const From* from, std::int64_t pixels, std::int64_t step, const From* end, float* to) {
  std::int64_t readable = end - from < lanes() ? 0 : std::min(pixels, (end - from - lanes()) / step + 1);
  if (spread.as_it_is) {
    copy_lanes(from, readable, step, to);
  } else if (spread.reach < lanes()) {
    permute_lanes(from, spread.offsets, readable, step, to);
  } else {
    readable = 0;
  }
  copy_some_lanes(from + readable * step, spread.offsets, spread.count, pixels - readable, step, to + readable * lanes());
}

/// Channels of pixels `step` apart as they follow each other, for lanes that all meet the same.
template <class From>
void copy_pixels(const From* from, std::int64_t channels, std::int64_t pixels, std::int64_t step, float* to) {
  for (std::int64_t x = 0; x < pixels; ++x, from += step, to += channels) {
    std::int64_t q = 0;
    for (; q + lanes() <= channels; q += lanes()) hn::StoreU(load(from + q), D(), to + q);
    for (; q < channels; ++q) to[q] = static_cast<float>(from[q]);
  }
}

/// Rows of the kernel, each with one channel of the groups, times `width` elements of its width: a sum for each. Strides are in
/// elements: from one element of the width to the next, from one result to the next in its row, and to the next row.
template <class Grad>
struct Tile {
  std::int64_t column, width, rows;
  const float* src[tile_rows];      ///< what the first result meets, which may lie outside the image
  std::int64_t src_row[tile_rows];  ///< the number of its row in the image
  float* sums[tile_rows];
  const Grad* grad;
  std::int64_t from, until;  ///< results of a row that meet the tile's whole width
  std::int64_t src_column, src_step, src_line, grad_step, grad_line, sums_column;
};

/// What the lanes meet of src: an element each, or all the same one.
template <bool Same>
HWY_INLINE V load_src(const float* from) {
  if constexpr (Same) return hn::Set(D(), *from);
  return hn::LoadU(D(), from);
}

/// Results of `lines` rows, all of which meet rows of the image.
template <int Rows, int Width, bool Same, class Grad>
HWY_NOINLINE void add_products(const Geometry& g, const Tile<Grad>& tile, std::int64_t lines) {
  const D d;
  V sums[Rows][Width];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 5
    for (int j = 0; j < Width; ++j) sums[r][j] = hn::Zero(d);
  }
  const std::int64_t left = g.left - tile.column;
  const std::int64_t column = tile.src_column, step = tile.src_step, grad_step = tile.grad_step;
  for (std::int64_t y = 0; y < lines; ++y) {
    const float* src[Rows];
    const Grad* grad = tile.grad + y * tile.grad_line;
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) src[r] = tile.src[r] + y * tile.src_line;
    const auto at_the_edge = [&](std::int64_t x) HWY_ATTR {
      const std::int64_t first = left - x * g.sw;  // column of the image
      const V factor = load(grad);
#pragma GCC unroll 5
      for (int j = 0; j < Width; ++j) {
        if (j < first || j >= first + g.w) continue;
#pragma GCC unroll 4
        for (int r = 0; r < Rows; ++r) sums[r][j] = hn::MulAdd(load_src<Same>(src[r] + j * column), factor, sums[r][j]);
      }
      grad += grad_step;
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) src[r] += step;
    };
    std::int64_t x = 0;
    for (; x < tile.from; ++x) at_the_edge(x);
    for (; x < tile.until; ++x, grad += grad_step) {
      if constexpr (!Same) {
        hwy::Prefetch(grad + hn::Lanes(d));
        hwy::Prefetch(src[Rows - 1] + (Width - 1) * column + hn::Lanes(d));
      }
      const V factor = load(grad);
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 5
        for (int j = 0; j < Width; ++j) sums[r][j] = hn::MulAdd(load_src<Same>(src[r] + j * column), factor, sums[r][j]);
        src[r] += step;
      }
    }
    for (; x < g.ow; ++x) at_the_edge(x);
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 5
    for (int j = 0; j < Width; ++j) {
      float* at = tile.sums[r] + j * tile.sums_column;
      hn::Store(hn::Add(hn::Load(d, at), sums[r][j]), d, at);
    }
  }
}

template <bool Same, class Grad, int Rows>
void add_products_of(const Geometry& g, const Tile<Grad>& tile, std::int64_t lines) {
  switch (tile.width) {
    case 1:
      return add_products<Rows, 1, Same>(g, tile, lines);
    case 2:
      return add_products<Rows, 2, Same>(g, tile, lines);
    case 3:
      return add_products<Rows, 3, Same>(g, tile, lines);
    case 4:
      return add_products<Rows, 4, Same>(g, tile, lines);
    default:
      return add_products<Rows, 5, Same>(g, tile, lines);
  }
}

/// Results of `lines` rows, in parts that meet the same of the tile's rows within the image.
template <bool Same, class Grad>
void add_lines(const Geometry& g, const Tile<Grad>& tile, std::int64_t lines) {
  std::int64_t y = 0;
  const auto before = [&](std::int64_t end) {  // rows of the tile that lie before that row of the image
    std::int64_t count = 0;
    while (count < tile.rows && tile.src_row[count] + y * g.sh < end) ++count;
    return count;
  };
  while (y < lines) {
    const std::int64_t first = y, row = before(0), row_end = before(g.h);
    for (++y; y < lines && before(0) == row && before(g.h) == row_end;) ++y;
    Tile<Grad> part = tile;
    part.rows = row_end - row;
    part.grad += first * tile.grad_line;
    for (std::int64_t r = 0; r < part.rows; ++r) {
      part.src[r] = tile.src[row + r] + first * tile.src_line;
      part.sums[r] = tile.sums[row + r];
    }
    constexpr void (*of_rows[])(const Geometry&, const Tile<Grad>&, std::int64_t) = {
        add_products_of<Same, Grad, 1>, add_products_of<Same, Grad, 2>, add_products_of<Same, Grad, 3>,
        add_products_of<Same, Grad, 4>};
    if (part.rows > 0) of_rows[part.rows - 1](g, part, y - first);
  }
}

/// So many that their sums stay in registers.
std::int64_t most_rows(std::int64_t width) {
  const std::int64_t most_sums = narrow_vectors ? 12 : tile_rows * tile_width;
  return std::clamp<std::int64_t>(most_sums / width, 1, tile_rows);
}

/// Whether all lanes of a vector meet the same channels.
bool meet_the_same(const Geometry& g) { return narrow_vectors && g.cg() > 1 && g.og() % lanes() == 0; }

/// Results that are gone through together, and the rows of src they meet.
struct Band {
  std::int64_t lines, src_lines, src_pixel;  ///< the latter: floats of a pixel that a vector meets
  explicit Band(const DirectGradient& product) {
    const Geometry& g = product.geometry;
    if (meet_the_same(g)) {
      src_pixel = g.cg();
      lines = std::clamp<std::int64_t>(copied_bytes / (4 * (g.sh * g.w * g.cg() + g.ow * lanes())), 1, g.oh);
    } else {
      const std::int64_t element = product.bf16 && narrow_vectors ? 2 : 4;
      src_pixel = g.cg() * lanes();
      const std::int64_t bytes = g.sh * g.w * (element * g.c + 4 * src_pixel) + g.ow * (element * g.o + 4 * lanes());
      lines = std::clamp<std::int64_t>(band_bytes / bytes, 1, g.oh);
    }
    src_lines = std::min((lines - 1) * g.sh + g.kh, g.h);
  }
};

std::size_t buffer_bytes(const DirectGradient& product) {
  const Band band(product);
  const Geometry& g = product.geometry;
  return static_cast<std::size_t>(4 * (band.src_lines * g.w * band.src_pixel + band.lines * g.ow * lanes() + lanes()));
}

template <class From>
class Multiplication {
 public:
  Multiplication(const DirectGradient& product, const DirectGradientRows& rows)
      : g_(product.geometry),
        band_(product),
        src_(static_cast<const From*>(product.src)),
        grad_(static_cast<const From*>(product.grad)),
        sums_(rows.sums),
        spread_src_(reinterpret_cast<float*>(rows.buffer)),
        copied_grad_(spread_src_ + (band_.src_lines * g_.w * band_.src_pixel + lanes() - 1) / lanes() * lanes()) {}

  void run(std::int64_t row, std::int64_t row_end) {
    std::fill(sums_, sums_ + vectors(g_) * g_.depth() * lanes(), 0.0f);
    while (row < row_end) {
      const std::int64_t lines = std::min({band_.lines, g_.oh - row % g_.oh, row_end - row});
      const std::int64_t image = row / g_.oh, y = row % g_.oh;
      copied_ = -1;
      for (std::int64_t v = 0; v < vectors(g_); ++v) add_band(v, image, y, lines);
      row += lines;
    }
  }

 private:
  static const float* plain(const float* from) { return from; }
  static const float* plain(const BFloat16*) { return nullptr; }

  void add_band(std::int64_t v, std::int64_t image, std::int64_t y, std::int64_t lines) {
    const Spread spread(g_, v, lanes());
    const From* const grad = grad_ + (image * g_.oh + y) * g_.ow * g_.o + v * lanes();
    if (spread.count == lanes()) {
      if constexpr (narrow_vectors || std::is_same_v<From, float>) {
        if (!meet_the_same(g_)) return add_band(v, spread, image, y, lines, grad, g_.o);
      }
      copy_lanes(grad, lines * g_.ow, g_.o, copied_grad_);
      return add_band<float>(v, spread, image, y, lines, copied_grad_, lanes());
    }
    static constexpr auto successive = [] {
      std::array<std::int32_t, hn::MaxLanes(D())> all{};
      std::iota(all.begin(), all.end(), 0);
      return all;
    }();
    copy_some_lanes(grad, successive.data(), spread.count, lines * g_.ow, g_.o, copied_grad_);
    add_band<float>(v, spread, image, y, lines, copied_grad_, lanes());
  }

  template <class Grad>
  void add_band(std::int64_t v, const Spread& spread, std::int64_t image, std::int64_t y, std::int64_t lines, const Grad* grad,
                std::int64_t grad_step) {
    const From* const src = src_ + image * g_.h * g_.w * g_.c + spread.first;
    const std::int64_t top = y * g_.sh - g_.top, first = std::max<std::int64_t>(top, 0);
    const bool same = meet_the_same(g_);
    Tile<Grad> tile{};
    tile.grad = grad;
    tile.grad_step = grad_step;
    tile.grad_line = g_.ow * grad_step;
    tile.sums_column = g_.cg() * lanes();

    const float* lines_of_src;  // of row 0 of the image
    std::int64_t line;          // from one to the next
    std::int64_t channel;       // and of channels
    // Of f32 in whole vectors, what lies in memory as it is needed is not copied.
    if (plain(src) != nullptr && spread.count == lanes() && g_.cg() == 1 && spread.as_it_is) {
      tile.src_column = g_.c;
      channel = 1;
      line = g_.w * g_.c;
      lines_of_src = plain(src);
    } else {
      tile.src_column = same ? g_.cg() : lanes();
      channel = same ? 1 : g_.w * lanes();
      line = g_.w * band_.src_pixel;
      lines_of_src = spread_src_ - first * line;
      const std::int64_t last = std::min(top + (lines - 1) * g_.sh + g_.kh, g_.h);
      for (std::int64_t row = first; row < last && spread.first != copied_; ++row) {
        float* to = spread_src_ + (row - first) * line;
        if (same) {
          copy_pixels(src + row * g_.w * g_.c, g_.cg(), g_.w, g_.c, to);
          continue;
        }
        for (std::int64_t q = 0; q < g_.cg(); ++q) {
          spread_pixels(spread, src + row * g_.w * g_.c + q, g_.w, g_.c, src_ + g_.n * g_.h * g_.w * g_.c, to + q * channel);
        }
      }
    }
    if (same) copied_ = spread.first;
    tile.src_step = g_.sw * tile.src_column;
    tile.src_line = g_.sh * line;

    float* const sums = sums_ + v * g_.depth() * lanes();
    const std::int64_t rows = g_.kh * g_.cg();
    for (tile.column = 0; tile.column < g_.kw; tile.column += tile_width) {
      tile.width = std::min(tile_width, g_.kw - tile.column);
      const std::int64_t left = g_.left - tile.column, right = g_.w - tile.width + left;
      tile.from = left <= 0 ? 0 : std::min(g_.ow, (left + g_.sw - 1) / g_.sw);
      tile.until = right < 0 ? tile.from : std::clamp(right / g_.sw + 1, tile.from, g_.ow);
      const std::int64_t tiles = (rows + most_rows(tile.width) - 1) / most_rows(tile.width);
      std::int64_t row = 0, i = 0, q = 0;
      for (std::int64_t t = 1; t <= tiles; ++t) {
        const std::int64_t end = t * rows / tiles;
        tile.rows = end - row;
        for (std::int64_t r = 0; row < end; ++row, ++r) {
          tile.src_row[r] = top + i;
          tile.src[r] = lines_of_src + (top + i) * line + q * channel + (tile.column - g_.left) * tile.src_column;
          tile.sums[r] = sums + ((i * g_.kw + tile.column) * g_.cg() + q) * lanes();
          if (++q == g_.cg()) {
            q = 0;
            ++i;
          }
        }
        if constexpr (narrow_vectors) {
          if (same) {
            add_lines<true>(g_, tile, lines);
            continue;
          }
        }
        add_lines<false>(g_, tile, lines);
      }
    }
  }

  const Geometry& g_;
  const Band band_;
  const From *const src_, *const grad_;
  std::int64_t copied_ = -1;                                    ///< first channel of what lanes of a band all meet
  float *const sums_, *const spread_src_, *const copied_grad_;  ///< of a band, for one vector of channels
};

void multiply_direct(const DirectGradient& product, const DirectGradientRows& rows) {
  if (product.bf16) {
    Multiplication<BFloat16>(product, rows).run(rows.row, rows.row_end);
  } else {
    Multiplication<float>(product, rows).run(rows.row, rows.row_end);
  }
}

void collect(const Geometry& g, const float* sums, std::int64_t parts, std::int64_t k, float* dst) {
  const D d;
  const std::int64_t part = vectors(g) * g.depth() * lanes();
  for (std::int64_t v = 0; v < vectors(g); ++v) {
    const float* from = sums + (v * g.depth() + k) * lanes();
    V sum = hn::Load(d, from);
    for (std::int64_t i = 1; i < parts; ++i) sum = hn::Add(sum, hn::Load(d, from + i * part));
    float* to = dst + k * g.o + v * lanes();
    const std::int64_t count = g.o - v * lanes();
    if (count >= lanes()) {
      hn::StoreU(sum, d, to);
    } else {
      HWY_ALIGN float line[hn::MaxLanes(D())];
      hn::Store(sum, d, line);
      std::copy_n(line, count, to);
    }
  }
}

std::int64_t sums(const Geometry& g) { return vectors(g) * g.depth() * lanes(); }

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(multiply_direct);
HWY_EXPORT(collect);
HWY_EXPORT(sums);
HWY_EXPORT(buffer_bytes);

std::int64_t direct_gradient_sums(const Geometry& g) { return HWY_DYNAMIC_DISPATCH(sums)(g); }
std::size_t direct_gradient_buffer_bytes(const DirectGradient& product) { return HWY_DYNAMIC_DISPATCH(buffer_bytes)(product); }
void multiply(const DirectGradient& product, const DirectGradientRows& rows) {
  HWY_DYNAMIC_DISPATCH(multiply_direct)(product, rows);
}
void collect_direct_gradient(const Geometry& g, const float* sums, std::int64_t parts, std::int64_t k, float* dst) {
  HWY_DYNAMIC_DISPATCH(collect)(g, sums, parts, k, dst);
}

}  // namespace qfw::cpu
#endif

#include "matmul/grad_weights_direct.h"

#include <algorithm>
#include <array>
#include <numeric>

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
// A tile: so many rows of src by so many elements of the kernel's width, a sum each.
constexpr std::int64_t tile_rows = 4, tile_width = 5;

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

/// Rows of the kernel, each with one channel of the groups, times `width` elements of its width: a sum for each. Strides are in
/// floats: from one element of the width to the next, from one result to the next in its row, and to the next row.
struct Tile {
  std::int64_t column, width, rows;
  const float* src[tile_rows];      ///< what the first result meets, which may lie outside the image
  std::int64_t src_row[tile_rows];  ///< the number of its row in the image
  float* sums[tile_rows];
  const float* grad;
  std::int64_t src_column, src_step, src_line, grad_step, grad_line, sums_column;
};

/// One result, for those elements that lie in the image.
template <int Rows, int Width>
HWY_INLINE void add_inside(const Tile& tile, std::int64_t row, std::int64_t row_end, std::int64_t column,
                           std::int64_t column_end, const float* const* src, const float* grad, V (&sums)[Rows][Width]) {
  const D d;
  const V factor = hn::LoadU(d, grad);
#pragma GCC unroll 5
  for (int j = 0; j < Width; ++j) {
    if (j < column || j >= column_end) continue;
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      if (r < row || r >= row_end) continue;
      sums[r][j] = hn::MulAdd(hn::LoadU(d, src[r] + j * tile.src_column), factor, sums[r][j]);
    }
  }
}

/// Results of `lines` rows.
template <int Rows, int Width>
HWY_NOINLINE void add_products(const Geometry& g, const Tile& tile, std::int64_t lines) {
  const D d;
  V sums[Rows][Width];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 5
    for (int j = 0; j < Width; ++j) sums[r][j] = hn::Zero(d);
  }
  // Results [from, until) of a row meet whole rows of the tile.
  const std::int64_t left = g.left - tile.column, right = g.w - Width + left;
  const std::int64_t from = left <= 0 ? 0 : std::min(g.ow, (left + g.sw - 1) / g.sw);
  const std::int64_t until = right < 0 ? from : std::clamp(right / g.sw + 1, from, g.ow);
  const std::int64_t column = tile.src_column, step = tile.src_step, grad_step = tile.grad_step;
  for (std::int64_t y = 0; y < lines; ++y) {
    const float* src[Rows];
    const float* grad = tile.grad + y * tile.grad_line;
    std::int64_t row = 0, row_end = Rows;
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      src[r] = tile.src[r] + y * tile.src_line;
      row += tile.src_row[r] + y * g.sh < 0;
      row_end -= tile.src_row[r] + y * g.sh >= g.h;
    }
    if (row >= row_end) continue;
    const bool whole = row == 0 && row_end == Rows;
    for (std::int64_t x = 0; x < g.ow;) {
      if (whole && x == from) {
        for (; x < until; ++x, grad += grad_step) {
          hwy::Prefetch(grad + hn::Lanes(d));
          hwy::Prefetch(src[Rows - 1] + (Width - 1) * column + hn::Lanes(d));
          const V factor = hn::LoadU(d, grad);
#pragma GCC unroll 4
          for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 5
            for (int j = 0; j < Width; ++j) sums[r][j] = hn::MulAdd(hn::LoadU(d, src[r] + j * column), factor, sums[r][j]);
            src[r] += step;
          }
        }
        if (x == g.ow) break;
      }
      const std::int64_t first = left - x * g.sw;
      add_inside(tile, row, row_end, first, first + g.w, src, grad, sums);
      ++x, grad += grad_step;
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) src[r] += step;
    }
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

using AddProducts = void (*)(const Geometry&, const Tile&, std::int64_t);
constexpr AddProducts add_products_of[tile_rows][tile_width] = {
    {add_products<1, 1>, add_products<1, 2>, add_products<1, 3>, add_products<1, 4>, add_products<1, 5>},
    {add_products<2, 1>, add_products<2, 2>, add_products<2, 3>, add_products<2, 4>, add_products<2, 5>},
    {add_products<3, 1>, add_products<3, 2>, add_products<3, 3>, add_products<3, 4>, add_products<3, 5>},
    {add_products<4, 1>, add_products<4, 2>, add_products<4, 3>, add_products<4, 4>, add_products<4, 5>}};

/// So many that their sums stay in registers.
std::int64_t most_rows(std::int64_t width) {
  const std::int64_t most_sums = HWY_TARGET <= HWY_AVX3 ? tile_rows * tile_width : 12;
  return std::clamp<std::int64_t>(most_sums / width, 1, tile_rows);
}

/// Results that are gone through together, and the rows of src they meet.
struct Band {
  std::int64_t lines, src_lines;
  explicit Band(const Geometry& g) {
    const std::int64_t bytes = 4 * (g.sh * g.w * (g.c + g.cg() * lanes()) + g.ow * (g.o + lanes()));
    lines = std::clamp<std::int64_t>(band_bytes / bytes, 1, g.oh);
    src_lines = std::min((lines - 1) * g.sh + g.kh, g.h);
  }
};

std::size_t buffer_bytes(const Geometry& g) {
  const Band band(g);
  return static_cast<std::size_t>(4 * lanes() * (band.src_lines * g.cg() * g.w + band.lines * g.ow));
}

template <class From>
class Multiplication {
 public:
  Multiplication(const DirectGradient& product, const DirectGradientRows& rows)
      : g_(product.geometry),
        band_(g_),
        src_(static_cast<const From*>(product.src)),
        grad_(static_cast<const From*>(product.grad)),
        sums_(rows.sums),
        spread_src_(reinterpret_cast<float*>(rows.buffer)),
        copied_grad_(spread_src_ + band_.src_lines * g_.cg() * g_.w * lanes()) {}

  void run(std::int64_t row, std::int64_t row_end) {
    std::fill(sums_, sums_ + vectors(g_) * g_.depth() * lanes(), 0.0f);
    while (row < row_end) {
      const std::int64_t lines = std::min({band_.lines, g_.oh - row % g_.oh, row_end - row});
      for (std::int64_t v = 0; v < vectors(g_); ++v) add_band(v, row / g_.oh, row % g_.oh, lines);
      row += lines;
    }
  }

 private:
  static const float* plain(const float* from) { return from; }
  static const float* plain(const BFloat16*) { return nullptr; }

  void add_band(std::int64_t v, std::int64_t image, std::int64_t y, std::int64_t lines) {
    const Spread spread(g_, v, lanes());
    const From* const src = src_ + image * g_.h * g_.w * g_.c;
    static constexpr auto successive = [] {
      std::array<std::int32_t, hn::MaxLanes(D())> all{};
      std::iota(all.begin(), all.end(), 0);
      return all;
    }();
    const From* const grad = grad_ + (image * g_.oh + y) * g_.ow * g_.o + v * lanes();
    const std::int64_t top = y * g_.sh - g_.top, first = std::max<std::int64_t>(top, 0);
    Tile tile{};
    // Of f32 in whole vectors, what lies in memory as it is needed is not copied.
    const bool in_place = plain(src_) != nullptr && spread.count == lanes();
    if (in_place) {
      tile.grad = plain(grad);
      tile.grad_step = g_.o;
    } else {
      if (spread.count == lanes()) {
        copy_lanes(grad, lines * g_.ow, g_.o, copied_grad_);
      } else {
        copy_some_lanes(grad, successive.data(), spread.count, lines * g_.ow, g_.o, copied_grad_);
      }
      tile.grad = copied_grad_;
      tile.grad_step = lanes();
    }
    tile.grad_line = g_.ow * tile.grad_step;
    tile.sums_column = g_.cg() * lanes();

    const float* lines_of_src;  // of row 0 of the image
    std::int64_t line;          // from one to the next
    if (in_place && g_.cg() == 1 && spread.as_it_is) {
      tile.src_column = g_.c;
      line = g_.w * g_.c;
      lines_of_src = plain(src) + spread.first;
    } else {
      tile.src_column = lanes();
      line = g_.cg() * g_.w * lanes();
      lines_of_src = spread_src_ - first * line;
      const std::int64_t last = std::min(top + (lines - 1) * g_.sh + g_.kh, g_.h);
      const From* const end = src_ + g_.n * g_.h * g_.w * g_.c;
      for (std::int64_t row = first; row < last; ++row) {
        for (std::int64_t q = 0; q < g_.cg(); ++q) {
          spread_pixels(spread, src + row * g_.w * g_.c + spread.first + q, g_.w, g_.c, end,
                        spread_src_ + (row - first) * line + q * g_.w * lanes());
        }
      }
    }
    tile.src_step = g_.sw * tile.src_column;
    tile.src_line = g_.sh * line;

    float* const sums = sums_ + v * g_.depth() * lanes();
    const std::int64_t rows = g_.kh * g_.cg();
    for (tile.column = 0; tile.column < g_.kw; tile.column += tile_width) {
      tile.width = std::min(tile_width, g_.kw - tile.column);
      const std::int64_t tiles = (rows + most_rows(tile.width) - 1) / most_rows(tile.width);
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t begin = t * rows / tiles;
        tile.rows = (t + 1) * rows / tiles - begin;
        for (std::int64_t r = 0; r < tile.rows; ++r) {
          const std::int64_t i = (begin + r) / g_.cg(), q = (begin + r) % g_.cg();
          tile.src_row[r] = top + i;
          tile.src[r] = lines_of_src + (top + i) * line + q * g_.w * lanes() + (tile.column - g_.left) * tile.src_column;
          tile.sums[r] = sums + ((i * g_.kw + tile.column) * g_.cg() + q) * lanes();
        }
        add_products_of[tile.rows - 1][tile.width - 1](g_, tile, lines);
      }
    }
  }

  const Geometry& g_;
  const Band band_;
  const From *const src_, *const grad_;
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
std::size_t direct_gradient_buffer_bytes(const Geometry& g) { return HWY_DYNAMIC_DISPATCH(buffer_bytes)(g); }
void multiply(const DirectGradient& product, const DirectGradientRows& rows) {
  HWY_DYNAMIC_DISPATCH(multiply_direct)(product, rows);
}
void collect_direct_gradient(const Geometry& g, const float* sums, std::int64_t parts, std::int64_t k, float* dst) {
  HWY_DYNAMIC_DISPATCH(collect)(g, sums, parts, k, dst);
}

}  // namespace qfw::cpu
#endif

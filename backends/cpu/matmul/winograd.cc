#include "matmul/winograd.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/winograd.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/float_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// The points' magnitudes and their squares; what is made of them is exact in f32, but for the weights' factors.
constexpr double p = 0.75, q = 1.5, pp = p * p, qq = q * q;
constexpr std::int64_t size = winograd_tile + 2;  // of a tile in src
static_assert(size * size == winograd_positions);

// Lines that are used together would otherwise meet in the same sets of a cache, being powers of two apart.
constexpr std::int64_t gap = 16;
// A panel's rows that are multiplied at once, in the first-level cache.
constexpr std::int64_t slice_rows = 192;

bool is_wide(const Geometry& g) { return g.o % (Wide::vectors * lanes()) == 0; }
std::int64_t width_of(const Geometry& g) { return (is_wide(g) ? Wide::vectors : Narrow::vectors) * lanes(); }
std::int64_t panels_of(const Geometry& g) { return (g.o + width_of(g) - 1) / width_of(g); }
std::int64_t position_stride(const Geometry& g) { return panels_of(g) * g.c * width_of(g) + gap; }

// Tiles in a row of dst and in a column.
std::int64_t across(const Geometry& g) { return (g.ow + winograd_tile - 1) / winograd_tile; }
std::int64_t down(const Geometry& g) { return (g.oh + winograd_tile - 1) / winograd_tile; }

WinogradExtents extents(const Geometry& g) {
  return {.tiles = g.n * across(g) * down(g),
          .panels = panels_of(g),
          .weights_bytes = static_cast<std::size_t>(winograd_positions * position_stride(g)) * sizeof(float)};
}

/// G g of three numbers.
template <class Tag, class V>
HWY_INLINE void to_points(Tag d, V g0, V g1, V g2, V (&to)[size]) {
  const V at_p = hn::Set(d, 1 / (2 * pp * (pp - qq))), at_q = hn::Set(d, 1 / (2 * qq * (qq - pp)));
  const V even_p = hn::MulAdd(hn::Set(d, pp), g2, g0), odd_p = hn::Mul(hn::Set(d, p), g1);
  const V even_q = hn::MulAdd(hn::Set(d, qq), g2, g0), odd_q = hn::Mul(hn::Set(d, q), g1);
  to[0] = hn::Mul(hn::Set(d, 1 / (pp * qq)), g0);
  to[1] = hn::Mul(at_p, hn::Add(even_p, odd_p));
  to[2] = hn::Mul(at_p, hn::Sub(even_p, odd_p));
  to[3] = hn::Mul(at_q, hn::Add(even_q, odd_q));
  to[4] = hn::Mul(at_q, hn::Sub(even_q, odd_q));
  to[5] = g2;
}

/// In double: what is stored is rounded once.
void transform_weights(const Geometry& g, bool transposed, const float* weights, std::int64_t c, std::int64_t c_end,
                       float* to) {
  const hn::CappedTag<double, 16> d;
  const hn::Rebind<float, decltype(d)> narrow;
  using Numbers = hn::Vec<decltype(d)>;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t width = width_of(g), stride = position_stride(g);
  HWY_ALIGN float turned[9][16];
  for (std::int64_t o = 0; o < g.o; o += n) {
    float* panel = to + o / width * width * g.c + o % width;
    for (std::int64_t k = c; k < c_end; ++k) {
      if (transposed) {
        for (std::int64_t tap = 0; tap < 9; ++tap) {
          for (std::int64_t i = 0; i < n; ++i) turned[8 - tap][i] = weights[(tap * g.o + o + i) * g.c + k];
        }
      }
      Numbers columns[3][size];
      for (std::int64_t x = 0; x < 3; ++x) {
        const auto tap = [&](std::int64_t y) {
          const float* at = transposed ? turned[y * 3 + x] : weights + ((y * 3 + x) * g.c + k) * g.o + o;
          return hn::PromoteTo(d, hn::LoadU(narrow, at));
        };
        to_points(d, tap(0), tap(1), tap(2), columns[x]);
      }
      for (std::int64_t y = 0; y < size; ++y) {
        Numbers row[size];
        to_points(d, columns[0][y], columns[1][y], columns[2][y], row);
        for (std::int64_t x = 0; x < size; ++x) {
          hn::StoreU(hn::DemoteTo(narrow, row[x]), narrow, panel + (y * size + x) * stride + k * width);
        }
      }
    }
    if (o + n == g.o && (o + n) % width != 0) {  // the padding of the last panel
      for (std::int64_t position = 0; position < winograd_positions; ++position) {
        for (std::int64_t k = c; k < c_end; ++k) {
          std::fill_n(panel + position * stride + k * width + n, width - (o + n) % width, 0.0f);
        }
      }
    }
  }
}

/// B^T d of six numbers, in place.
template <class Tag, class V>
HWY_INLINE void from_src(Tag d, V& d0, V& d1, V& d2, V& d3, V& d4, V& d5) {
  const V minus_sum = hn::Set(d, static_cast<float>(-(pp + qq))), product = hn::Set(d, static_cast<float>(pp * qq));
  const V minus_pp = hn::Set(d, static_cast<float>(-pp)), minus_qq = hn::Set(d, static_cast<float>(-qq));
  const V even_p = hn::MulAdd(minus_qq, d2, d4),
          odd_p = hn::Mul(hn::Set(d, static_cast<float>(p)), hn::MulAdd(minus_qq, d1, d3));
  const V even_q = hn::MulAdd(minus_pp, d2, d4),
          odd_q = hn::Mul(hn::Set(d, static_cast<float>(q)), hn::MulAdd(minus_pp, d1, d3));
  d0 = hn::MulAdd(product, d0, hn::MulAdd(minus_sum, d2, d4));
  d5 = hn::MulAdd(product, d1, hn::MulAdd(minus_sum, d3, d5));
  d1 = hn::Add(even_p, odd_p);
  d2 = hn::Sub(even_p, odd_p);
  d3 = hn::Add(even_q, odd_q);
  d4 = hn::Sub(even_q, odd_q);
}

/// A^T m of six numbers.
template <class Tag, class V>
HWY_INLINE void to_dst(Tag d, V m0, V m1, V m2, V m3, V m4, V m5, V& y0, V& y1, V& y2, V& y3) {
  const V sum_p = hn::Add(m1, m2), difference_p = hn::Sub(m1, m2), sum_q = hn::Add(m3, m4), difference_q = hn::Sub(m3, m4);
  y0 = hn::Add(m0, hn::Add(sum_p, sum_q));
  y1 = hn::MulAdd(hn::Set(d, static_cast<float>(p)), difference_p, hn::Mul(hn::Set(d, static_cast<float>(q)), difference_q));
  y2 = hn::MulAdd(hn::Set(d, static_cast<float>(pp)), sum_p, hn::Mul(hn::Set(d, static_cast<float>(qq)), sum_q));
  y3 = hn::MulAdd(hn::Set(d, static_cast<float>(pp * p)), difference_p,
                  hn::MulAdd(hn::Set(d, static_cast<float>(qq * q)), difference_q, m5));
}

/// Where a part's matrices lie in its buffer, in floats: of src [position][tile][channel], of dst [position][tile][column].
struct Buffer {
  std::int64_t columns, src_stride, dst_stride, sums, zeros, rest, count;
  Buffer(const Geometry& g, std::int64_t tiles, std::int64_t panels) {
    columns = panels * width_of(g);
    src_stride = tiles * g.c + gap;
    dst_stride = tiles * columns + gap;
    sums = winograd_positions * src_stride;
    zeros = sums + winograd_positions * dst_stride;
    rest = zeros + g.c;
    count = rest + columns;
  }
};

/// A tile's place: image, first row and column in dst.
struct Place {
  std::int64_t image, y, x;
};
Place place_of(const Geometry& g, std::int64_t tile) {
  return {tile / (across(g) * down(g)), tile / across(g) % down(g) * winograd_tile, tile % across(g) * winograd_tile};
}

void tile_of_src(const Geometry& g, const float* src, const Place& at, const float* zeros, std::int64_t stride, float* to) {
  const D d;
  const float* pixels[size][size];
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t y = at.y + i - g.top;
    for (std::int64_t j = 0; j < size; ++j) {
      const std::int64_t x = at.x + j - g.left;
      const bool inside = y >= 0 && y < g.h && x >= 0 && x < g.w;
      pixels[i][j] = inside ? src + ((at.image * g.h + y) * g.w + x) * g.c : zeros;
    }
  }
  for (std::int64_t c = 0; c < g.c; c += lanes()) {
    V v[size][size];
#pragma GCC unroll 6
    for (int j = 0; j < size; ++j) {
#pragma GCC unroll 6
      for (int i = 0; i < size; ++i) v[i][j] = hn::LoadU(d, pixels[i][j] + c);
      from_src(d, v[0][j], v[1][j], v[2][j], v[3][j], v[4][j], v[5][j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < size; ++i) {
      from_src(d, v[i][0], v[i][1], v[i][2], v[i][3], v[i][4], v[i][5]);
#pragma GCC unroll 6
      for (int j = 0; j < size; ++j) hn::StoreU(v[i][j], d, to + (i * size + j) * stride + c);
    }
  }
}

/// `rest` takes what is beyond the image.
void tile_of_dst(const Geometry& g, const float* sums, std::int64_t stride, std::int64_t columns, const Place& at, float* dst,
                 float* rest) {
  const D d;
  float* pixels[winograd_tile][winograd_tile];
  for (std::int64_t i = 0; i < winograd_tile; ++i) {
    for (std::int64_t j = 0; j < winograd_tile; ++j) {
      const std::int64_t y = at.y + i, x = at.x + j;
      pixels[i][j] = y < g.oh && x < g.ow ? dst + ((at.image * g.oh + y) * g.ow + x) * g.o : rest;
    }
  }
  for (std::int64_t o = 0; o < columns; o += lanes()) {
    V v[winograd_tile][size];
#pragma GCC unroll 6
    for (int j = 0; j < size; ++j) {
      const auto at_row = [&](int i) { return hn::LoadU(d, sums + (i * size + j) * stride + o); };
      to_dst(d, at_row(0), at_row(1), at_row(2), at_row(3), at_row(4), at_row(5), v[0][j], v[1][j], v[2][j], v[3][j]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < winograd_tile; ++i) {
      V y[winograd_tile];
      to_dst(d, v[i][0], v[i][1], v[i][2], v[i][3], v[i][4], v[i][5], y[0], y[1], y[2], y[3]);
#pragma GCC unroll 4
      for (int j = 0; j < winograd_tile; ++j) hn::StoreU(y[j], d, pixels[i][j] + o);
    }
  }
}

template <class Tile>
void multiply_as(const Geometry& g, const Buffer& places, const float* src, const float* weights, std::int64_t tiles,
                 std::int64_t panels, float* sums) {
  const std::int64_t width = Tile::vectors * lanes(), slices = (g.c + slice_rows - 1) / slice_rows;
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    for (std::int64_t slice = 0; slice < slices; ++slice) {
      const std::int64_t c = slice * g.c / slices, rows = (slice + 1) * g.c / slices - c;
      for (std::int64_t t = 0; t < tiles; t += Tile::depth) {
        tile_of<Tile::depth, Tile::vectors>(std::min<std::int64_t>(Tile::depth, tiles - t), src + t * g.c + c, g.c, 1,
                                            weights + (panel * g.c + c) * width, rows,
                                            sums + t * places.columns + panel * width, places.columns, width, slice > 0);
      }
    }
  }
}

void convolve(const Geometry& g, const float* src, const float* weights, const WinogradPart& part, float* dst) {
  const std::int64_t tiles = part.tile_end - part.tile, panels = part.panel_end - part.panel, first = part.panel * width_of(g);
  const Buffer places(g, tiles, panels);
  auto* matrices = reinterpret_cast<float*>(part.buffer);
  float *sums = matrices + places.sums, *zeros = matrices + places.zeros, *rest = matrices + places.rest;
  std::fill_n(zeros, g.c, 0.0f);
  for (std::int64_t t = 0; t < tiles; ++t) {
    tile_of_src(g, src, place_of(g, part.tile + t), zeros, places.src_stride, matrices + t * g.c);
  }
  for (std::int64_t position = 0; position < winograd_positions; ++position) {
    const float* panel = weights + position * position_stride(g) + first * g.c;
    const auto multiply = is_wide(g) ? multiply_as<Wide> : multiply_as<Narrow>;
    multiply(g, places, matrices + position * places.src_stride, panel, tiles, panels, sums + position * places.dst_stride);
  }
  for (std::int64_t t = 0; t < tiles; ++t) {
    tile_of_dst(g, sums + t * places.columns, places.dst_stride, std::min(places.columns, g.o - first),
                place_of(g, part.tile + t), dst + first, rest);
  }
}

std::size_t buffer_bytes(const Geometry& g, std::int64_t tiles, std::int64_t panels) {
  return static_cast<std::size_t>(Buffer(g, tiles, panels).count) * sizeof(float);
}

const char* target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(extents);
HWY_EXPORT(transform_weights);
HWY_EXPORT(buffer_bytes);
HWY_EXPORT(convolve);
HWY_EXPORT(target);

WinogradExtents winograd_extents(const Geometry& g) { return HWY_DYNAMIC_DISPATCH(extents)(g); }
void winograd_weights(const Geometry& g, bool transposed, const float* weights, std::int64_t c, std::int64_t c_end, float* to) {
  HWY_DYNAMIC_DISPATCH(transform_weights)(g, transposed, weights, c, c_end, to);
}
std::size_t winograd_buffer_bytes(const Geometry& g, std::int64_t tiles, std::int64_t panels) {
  return HWY_DYNAMIC_DISPATCH(buffer_bytes)(g, tiles, panels);
}
void winograd_convolve(const Geometry& g, const float* src, const float* weights, const WinogradPart& part, float* dst) {
  HWY_DYNAMIC_DISPATCH(convolve)(g, src, weights, part, dst);
}
const char* winograd_target() { return HWY_DYNAMIC_DISPATCH(target)(); }

}  // namespace qfw::cpu
#endif

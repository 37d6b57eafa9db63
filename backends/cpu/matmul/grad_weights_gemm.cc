#include "matmul/grad_weights_gemm.h"

#include <algorithm>
#include <cstring>

#include "matmul/bf16_pairs.h"
#include "qfw/tensor.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/grad_weights_gemm.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/float_tile-inl.h"
#include "matmul/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Sizes of what is gathered at once: a panel of grad and the lines of src it meets share the first-level cache, which is 32 KB
// on processors without 512-bit vectors; all of it fits the second.
constexpr std::int64_t slice_rows = QFW_FEW_REGISTERS ? 128 : 192, slice_channels = 256,
                       slice_depth = (QFW_FEW_REGISTERS ? 32 : 16) * gradient_tile;
constexpr std::int64_t row_gap = 16;  // spreads the rows of a strip over the cache's sets

struct Plain {
  float padding() const { return 0; }
  HWY_INLINE void operator()(const float* from, std::int64_t count, float* to) const {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  }
};
struct Widened {
  float padding() const { return 0; }
  HWY_INLINE void operator()(const BFloat16* from, std::int64_t count, float* to) const {
    const hn::ScalableTag<std::uint32_t> d;
    const hn::Rebind<std::uint16_t, decltype(d)> half;
    std::int64_t i = 0;
    for (; i + lanes() <= count; i += lanes()) {
      const auto bits = hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from) + i);
      hn::StoreU(hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(d, bits))), D(), to + i);
    }
    for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
  }
};

/// Rows of grad, as panels [panel][row][width], padded with zeros.
template <class Copy, class From>
void pack_grad(const Copy& copy, const From* grad, std::int64_t stride, std::int64_t rows, std::int64_t channels,
               std::int64_t width, float* to) {
  for (std::int64_t r = 0; r < rows; ++r, grad += stride) {
    for (std::int64_t o = 0; o < channels; o += width) {
      float* at = to + o * rows + r * width;
      const std::int64_t count = std::min(width, channels - o);
      copy(grad + o, count, at);
      std::fill(at + count, at + width, 0.0f);
    }
  }
}

static_assert(gradient_tile % Narrow::depth == 0 && gradient_tile % Wide::depth == 0);

template <class Tile, class Copy, class From>
void multiply_as(const GradientProduct& product, const GradientBlock& block) {
  const Geometry& g = product.geometry;
  const std::int64_t width = Tile::vectors * lanes(), stride = slice_depth + row_gap;
  auto* strip = reinterpret_cast<float*>(block.buffer);
  float* panels = strip + slice_rows * stride;
  for (std::int64_t o = 0; o < g.og(); o += slice_channels) {
    const std::int64_t channels = std::min(slice_channels, g.og() - o), first = block.group * g.og() + o;
    for (std::int64_t row = block.row; row < block.row_end; row += slice_rows) {
      const std::int64_t rows = std::min(slice_rows, block.row_end - row);
      pack_grad(Copy(), static_cast<const From*>(product.grad) + row * g.o + first, g.o, rows, channels, width, panels);
      for (std::int64_t k = block.k; k < block.k_end; k += slice_depth) {
        const std::int64_t k_end = std::min(block.k_end, k + slice_depth);
        copy_rows(Rows<From>{g, static_cast<const From*>(product.src), block.group, row, row + rows, k, k_end}, Copy(), strip,
                  stride);
        for (std::int64_t p = 0; p < channels; p += width) {
          for (std::int64_t i = k; i < k_end; i += Tile::depth) {
            tile_of<Tile::depth, Tile::vectors>(std::min<std::int64_t>(Tile::depth, k_end - i), strip + (i - k), 1, stride,
                                                panels + p * rows, rows, block.dst + i * g.o + first + p, g.o,
                                                std::min(width, channels - p), row > block.row);
          }
        }
      }
    }
  }
}

/// Whether panels of wide tiles would be filled.
bool is_wide(const Geometry& g) { return g.og() % (Wide::vectors * lanes()) == 0 || g.og() > slice_channels / 2; }

template <class Copy, class From>
void multiply_as(const GradientProduct& product, const GradientBlock& block) {
  is_wide(product.geometry) ? multiply_as<Wide, Copy, From>(product, block) : multiply_as<Narrow, Copy, From>(product, block);
}

// The same in pairs of rows. What is gathered lies in the second-level cache, a panel of grad in the first.
constexpr std::int64_t pair_slice_rows = 256, pair_slice_depth = 8 * pair_depth, pair_gap = 16;

struct Same {
  BFloat16 padding() const { return BFloat16(0.0f); }
  HWY_INLINE void operator()(const BFloat16* from, std::int64_t count, BFloat16* to) const {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(BFloat16));
  }
};

/// Rows [row, row_end) of src, elements [k, k_end) of each, as pairs[pair][k].
void gather_pairs(const Rows<BFloat16>& rows, BFloat16* staged, std::uint32_t* pairs) {
  const Geometry& g = rows.g;
  const std::int64_t count = rows.row_end - rows.row, depth = rows.k_end - rows.k, stride = pair_slice_depth + pair_gap;
  const BFloat16* from = rows.src + rows.row * g.c + rows.group * g.cg() + rows.k;
  std::int64_t from_stride = g.c;
  if (!g.rows_are_pixels()) {
    copy_rows(rows, Same(), staged, stride);
    from = staged;
    from_stride = stride;
  }
  for (std::int64_t r = 0; r < count; r += 2, from += 2 * from_stride, pairs += stride) {
    pair_up(from, r + 1 < count ? from + from_stride : nullptr, depth, pairs);
  }
}

/// Rows of grad, as panels [panel][pair][pair_channels], padded with zeros.
void pack_pairs(const BFloat16* grad, std::int64_t stride, std::int64_t rows, std::int64_t channels, std::uint32_t* panels) {
  const std::int64_t pairs = (rows + 1) / 2;
  for (std::int64_t r = 0; r < rows; r += 2, grad += 2 * stride) {
    for (std::int64_t o = 0; o < channels; o += pair_channels) {
      std::uint32_t* at = panels + o * pairs + r / 2 * pair_channels;
      const std::int64_t count = std::min(pair_channels, channels - o);
      pair_up(grad + o, r + 1 < rows ? grad + stride + o : nullptr, count, at);
      std::fill(at + count, at + pair_channels, 0U);
    }
  }
}

struct PairBuffers {
  std::int64_t staged = 0, pairs = 0, panels = 0, bytes = 0;  ///< offsets
  explicit PairBuffers(const Geometry& g) {
    const std::int64_t stride = pair_slice_depth + pair_gap;
    const std::int64_t channels = (std::min(slice_channels, g.og()) + pair_channels - 1) / pair_channels * pair_channels;
    pairs = pair_slice_rows * stride * 2;
    panels = pairs + pair_slice_rows / 2 * stride * 4;
    bytes = panels + pair_slice_rows / 2 * channels * 4;
  }
};

void multiply_in_pairs(const GradientProduct& product, const GradientBlock& block) {
  const Geometry& g = product.geometry;
  const PairBuffers places(g);
  auto* staged = reinterpret_cast<BFloat16*>(block.buffer + places.staged);
  auto* pairs = reinterpret_cast<std::uint32_t*>(block.buffer + places.pairs);
  auto* panels = reinterpret_cast<std::uint32_t*>(block.buffer + places.panels);
  for (std::int64_t o = 0; o < g.og(); o += slice_channels) {
    const std::int64_t channels = std::min(slice_channels, g.og() - o), first = block.group * g.og() + o;
    for (std::int64_t row = block.row; row < block.row_end; row += pair_slice_rows) {
      const std::int64_t rows = std::min(pair_slice_rows, block.row_end - row), pair_count = (rows + 1) / 2;
      pack_pairs(static_cast<const BFloat16*>(product.grad) + row * g.o + first, g.o, rows, channels, panels);
      for (std::int64_t k = block.k; k < block.k_end; k += pair_slice_depth) {
        const std::int64_t k_end = std::min(block.k_end, k + pair_slice_depth);
        gather_pairs({g, static_cast<const BFloat16*>(product.src), block.group, row, row + rows, k, k_end}, staged, pairs);
        for (std::int64_t p = 0; p < channels; p += pair_channels) {
          for (std::int64_t i = k; i < k_end; i += pair_depth) {
            multiply_pairs(std::min(pair_depth, k_end - i), pairs + (i - k), pair_slice_depth + pair_gap,
                           panels + p * pair_count, pair_count, block.dst + i * g.o + first + p, g.o,
                           std::min(pair_channels, channels - p), row > block.row);
          }
        }
      }
    }
  }
}

void multiply_gradient(const GradientProduct& product, const GradientBlock& block) {
  if (product.bf16 && product.pairs) {
    multiply_in_pairs(product, block);
  } else if (product.bf16) {
    multiply_as<Widened, BFloat16>(product, block);
  } else {
    multiply_as<Plain, float>(product, block);
  }
}

std::size_t buffer_bytes(const Geometry& g) {
  const std::int64_t width = Wide::vectors * lanes(), channels = (std::min(slice_channels, g.og()) + width - 1) / width * width;
  const auto floats = static_cast<std::size_t>(slice_rows * (slice_depth + row_gap + channels)) * sizeof(float) + 64;
  return std::max(floats, static_cast<std::size_t>(PairBuffers(g).bytes));
}

const char* target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(multiply_gradient);
HWY_EXPORT(buffer_bytes);
HWY_EXPORT(target);

const char* gradient_target() { return HWY_DYNAMIC_DISPATCH(target)(); }
std::size_t gradient_buffer_bytes(const Geometry& g) { return HWY_DYNAMIC_DISPATCH(buffer_bytes)(g); }
void multiply(const GradientProduct& product, const GradientBlock& block) {
  HWY_DYNAMIC_DISPATCH(multiply_gradient)(product, block);
}

}  // namespace qfw::cpu
#endif

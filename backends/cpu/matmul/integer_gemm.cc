#include "matmul/integer_gemm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/integer_gemm.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "matmul/integer_tile-inl.h"
#include "matmul/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Bytes of one row's slice of the depth: six of them and a panel's slice share the first-level cache.
constexpr std::int64_t slice_bytes = 1024;
constexpr std::int64_t row_gap = 64;  // keeps rows of a packed slice out of each other's cache sets

struct BytesWithOffset {
  std::uint8_t offset;
  std::uint8_t padding() const { return offset; }

  HWY_INLINE void operator()(const std::uint8_t* from, std::int64_t count, std::uint8_t* to) const {
    if (offset == 0) {
      std::memcpy(to, from, static_cast<std::size_t>(count));
      return;
    }
    std::int64_t i = 0;
#if QFW_MULTIPLIES_BYTES
    const hn::FixedTag<std::uint8_t, 16> d;
    const auto add = hn::Set(d, offset);
    for (; i + 16 <= count; i += 16) hn::StoreU(hn::Add(hn::LoadU(d, from + i), add), d, to + i);
#endif
    for (; i < count; ++i) to[i] = static_cast<std::uint8_t>(from[i] + offset);
  }
};

template <class Byte>
struct BytesToPairs {
  std::int16_t padding() const { return 0; }

  HWY_INLINE void operator()(const std::uint8_t* bytes, std::int64_t count, std::int16_t* to) const {
    const auto* from = reinterpret_cast<const Byte*>(bytes);
    std::int64_t i = 0;
#if QFW_MULTIPLIES_BYTES
    const hn::FixedTag<std::int16_t, 8> d;
    const hn::Rebind<Byte, decltype(d)> narrow;
    for (; i + 8 <= count; i += 8) hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, from + i)), d, to + i);
    if (i == count) return;
    if (count >= 8) {  // the last vector overlaps the one before
      hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, from + count - 8)), d, to + count - 8);
      return;
    }
#endif
    for (; i < count; ++i) to[i] = from[i];
  }
};
using UnsignedToPairs = BytesToPairs<std::uint8_t>;
using SignedToPairs = BytesToPairs<std::int8_t>;

void multiply(const IntegerProduct& product, const IntegerBlock& block) {
  const Geometry& g = product.geometry;
  const std::int64_t width = panel(), panels = (g.og() + width - 1) / width;
  const std::int64_t size = product.bytes ? 1 : 2, slice = slice_bytes / size, depth = g.depth(), padded = (depth + 3) / 4 * 4;
  // Rows that lie in memory as the loop wants them need no copy, unless they are so long that they share cache sets.
  const bool in_place = product.bytes && product.offset == 0 && g.rows_are_pixels() && depth % 4 == 0 && g.c < slice_bytes;
  const auto* weights = static_cast<const std::byte*>(product.weights) + block.group * panels * width * padded * size;
  for (std::int64_t k = 0; k < depth; k += slice) {
    const std::int64_t k_end = std::min(depth, k + slice), steps = (k_end - k + 3) / 4 * 4;
    const std::byte* rows = block.buffer;
    std::int64_t stride = steps + row_gap / size;
    if (in_place) {
      rows = reinterpret_cast<const std::byte*>(product.src) + block.row * g.c + block.group * g.cg() + k;
      stride = g.c;
    } else {
      const Rows<std::uint8_t> from{g, product.src, block.group, block.row, block.row_end, k, k_end};
      if (product.bytes) {
        copy_rows(from, BytesWithOffset{static_cast<std::uint8_t>(product.offset)},
                  reinterpret_cast<std::uint8_t*>(block.buffer), stride);
      } else if (product.src_signed) {
        copy_rows(from, SignedToPairs{}, reinterpret_cast<std::int16_t*>(block.buffer), stride);
      } else {
        copy_rows(from, UnsignedToPairs{}, reinterpret_cast<std::int16_t*>(block.buffer), stride);
      }
    }
    for (std::int64_t p = block.panel; p < block.panel_end; ++p) {
      const std::byte* b = weights + (p * padded + k) * width * size;
      const bool compensate = k == 0 && product.compensation != nullptr;
      Target to{nullptr,
                g.o,
                std::min(width, g.og() - p * width),
                compensate ? product.compensation + (block.group * panels + p) * width : nullptr,
                k > 0,
                product.stream};
      for (std::int64_t r = block.row; r < block.row_end; r += integer_tile_rows) {
        const std::byte* a = rows + (r - block.row) * stride * size;
        to.dst = product.dst + r * g.o + block.group * g.og() + p * width;
        switch (std::min(integer_tile_rows, block.row_end - r)) {
          case 1:
            tile<1>(product, a, stride, b, steps, to);
            break;
          case 2:
            tile<2>(product, a, stride, b, steps, to);
            break;
          case 3:
            tile<3>(product, a, stride, b, steps, to);
            break;
          case 4:
            tile<4>(product, a, stride, b, steps, to);
            break;
          case 5:
            tile<5>(product, a, stride, b, steps, to);
            break;
          default:
            tile<6>(product, a, stride, b, steps, to);
        }
      }
    }
  }
  if (product.stream) hwy::FlushStream();
}

bool possible() { return bytes_possible(); }
const char* target() { return hwy::TargetName(HWY_TARGET); }

int greatest(const std::int8_t* weights, std::int64_t count) {
  int result = 0;
  std::int64_t i = 0;
#if QFW_MULTIPLIES_BYTES
  const D8 d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto least = hn::Zero(d), most = hn::Zero(d);
  for (; i + lanes <= count; i += lanes) {
    const auto v = hn::LoadU(d, weights + i);
    least = hn::Min(least, v);
    most = hn::Max(most, v);
  }
  HWY_ALIGN std::int8_t low[hn::MaxLanes(D8())], high[hn::MaxLanes(D8())];
  hn::Store(least, d, low);
  hn::Store(most, d, high);
  for (std::int64_t j = 0; j < lanes; ++j) result = std::max({result, -static_cast<int>(low[j]), static_cast<int>(high[j])});
#endif
  for (; i < count; ++i) result = std::max(result, std::abs(static_cast<int>(weights[i])));
  return result;
}

#if QFW_MULTIPLIES_BYTES
/// 16 channels of four rows of weights at `from` to `to`, channel by channel.
HWY_INLINE void interleave(const std::int8_t* from, std::int64_t stride, bool bytes, std::byte* to, std::int64_t step) {
  const hn::FixedTag<std::int8_t, 16> d;
  const hn::Repartition<std::int16_t, decltype(d)> d16;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + stride);
  const auto r2 = hn::LoadU(d, from + 2 * stride), r3 = hn::LoadU(d, from + 3 * stride);
  const auto low01 = hn::InterleaveLower(d, r0, r1), high01 = hn::InterleaveUpper(d, r0, r1);
  const auto low23 = hn::InterleaveLower(d, r2, r3), high23 = hn::InterleaveUpper(d, r2, r3);
  if (bytes) {
    auto* out = reinterpret_cast<std::int16_t*>(to);
    const auto l0 = hn::BitCast(d16, low01), l1 = hn::BitCast(d16, low23), h0 = hn::BitCast(d16, high01),
               h1 = hn::BitCast(d16, high23);
    hn::StoreU(hn::InterleaveLower(d16, l0, l1), d16, out);
    hn::StoreU(hn::InterleaveUpper(d16, l0, l1), d16, out + 8);
    hn::StoreU(hn::InterleaveLower(d16, h0, h1), d16, out + 16);
    hn::StoreU(hn::InterleaveUpper(d16, h0, h1), d16, out + 24);
    return;
  }
  const hn::Half<decltype(d)> half;
  for (int i = 0; i < 2; ++i) {
    auto* out = reinterpret_cast<std::int16_t*>(to) + i * step;
    const auto low = i == 0 ? low01 : low23, high = i == 0 ? high01 : high23;
    hn::StoreU(hn::PromoteTo(d16, hn::LowerHalf(half, low)), d16, out);
    hn::StoreU(hn::PromoteTo(d16, hn::UpperHalf(half, low)), d16, out + 8);
    hn::StoreU(hn::PromoteTo(d16, hn::LowerHalf(half, high)), d16, out + 16);
    hn::StoreU(hn::PromoteTo(d16, hn::UpperHalf(half, high)), d16, out + 24);
  }
}

#endif

void pack(const std::int8_t* weights, std::int64_t depth, std::int64_t columns, std::int64_t stride, bool bytes, int offset,
          void* packed, std::int32_t* compensation) {
  const std::int64_t width = panel(), group = bytes ? 4 : 2;
  auto* out = static_cast<std::byte*>(packed);
  std::int64_t k = 0;
#if QFW_MULTIPLIES_BYTES
  if (columns == width && width % 16 == 0) {
    for (; k + 4 <= depth; k += 4) {
      for (std::int64_t j = 0; j < width; j += 16) {
        interleave(weights + k * stride + j, stride, bytes, out + (k * width + j * group) * (bytes ? 1 : 2), 2 * width);
      }
    }
  }
#endif
  for (std::int64_t padded = (depth + 3) / 4 * 4; k < padded; ++k) {
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int8_t w = k < depth && j < columns ? weights[k * stride + j] : std::int8_t{0};
      const std::int64_t at = k / group * group * width + j * group + k % group;
      if (bytes) {
        reinterpret_cast<std::int8_t*>(out)[at] = w;
      } else {
        reinterpret_cast<std::int16_t*>(out)[at] = w;
      }
    }
  }
  if (compensation == nullptr) return;
  std::fill(compensation, compensation + width, 0);
  for (k = 0; k < depth; ++k) {
    for (std::int64_t j = 0; j < columns; ++j) compensation[j] += weights[k * stride + j];
  }
  for (std::int64_t j = 0; j < columns; ++j) compensation[j] *= offset;
}

std::size_t buffer_bytes(std::int64_t rows, std::int64_t depth) {
  const std::int64_t row = std::min(slice_bytes, 2 * ((depth + 3) / 4 * 4)) + row_gap;
  return static_cast<std::size_t>(rows * row + 64);
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(multiply);
HWY_EXPORT(panel);
HWY_EXPORT(possible);
HWY_EXPORT(target);
HWY_EXPORT(greatest);
HWY_EXPORT(pack);
HWY_EXPORT(buffer_bytes);

std::int64_t integer_panel() { return HWY_DYNAMIC_DISPATCH(panel)(); }
bool integer_bytes_possible() { return HWY_DYNAMIC_DISPATCH(possible)(); }
const char* integer_target() { return HWY_DYNAMIC_DISPATCH(target)(); }
std::int64_t integer_depth(std::int64_t depth) { return (depth + 3) / 4 * 4; }
std::size_t integer_buffer_bytes(std::int64_t rows, std::int64_t depth) {
  return HWY_DYNAMIC_DISPATCH(buffer_bytes)(rows, depth);
}
int greatest(const std::int8_t* weights, std::int64_t count) { return HWY_DYNAMIC_DISPATCH(greatest)(weights, count); }
void pack_panel(const std::int8_t* weights, std::int64_t depth, std::int64_t columns, std::int64_t stride, bool bytes,
                int offset, void* packed, std::int32_t* compensation) {
  HWY_DYNAMIC_DISPATCH(pack)(weights, depth, columns, stride, bytes, offset, packed, compensation);
}
void multiply(const IntegerProduct& product, const IntegerBlock& block) { HWY_DYNAMIC_DISPATCH(multiply)(product, block); }

}  // namespace qfw::cpu
#endif

// The inner loops of the integer product: a few rows by one panel, in registers. Included once per instruction set.
#if defined(QFW_CPU_INTEGER_TILE) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_INTEGER_TILE
#undef QFW_CPU_INTEGER_TILE
#else
#define QFW_CPU_INTEGER_TILE
#endif

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "matmul/integer_gemm.h"
#include "matmul/integer_instructions-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Where a tile's sums go: added to what is there, or to minus the compensation, or alone.
struct Target {
  std::int32_t* dst;
  std::int64_t stride, columns;
  const std::int32_t* compensation;
  bool add, stream;
};

#if !QFW_MULTIPLIES_BYTES
// Processors of before 2006, and nothing else: plain loops.
std::int64_t panel() { return 8; }

template <int Rows>
void tile(const IntegerProduct&, const std::byte* a, std::int64_t a_stride, const std::byte* b, std::int64_t depth,
          const Target& to) {
  const auto *left = reinterpret_cast<const std::int16_t*>(a), *right = reinterpret_cast<const std::int16_t*>(b);
  for (int r = 0; r < Rows; ++r) {
    for (std::int64_t j = 0; j < to.columns; ++j) {
      std::int32_t sum = to.add ? to.dst[r * to.stride + j] : 0;
      for (std::int64_t k = 0; k < depth; ++k) sum += left[r * a_stride + k] * right[(k / 2 * 8 + j) * 2 + k % 2];
      to.dst[r * to.stride + j] = sum;
    }
  }
}
#else
HWY_INLINE V32 repeat(const void* four_bytes) {
  std::int32_t word;
  std::memcpy(&word, four_bytes, sizeof(word));
  return hn::Set(D32(), word);
}

std::int64_t panel() { return 2 * static_cast<std::int64_t>(hn::Lanes(D32())); }

// GCC 12 hoists the loads of later rows into the accumulators' registers unless each row ends here. 512-bit code has enough.
#undef QFW_ROW_ENDS
#if HWY_TARGET > HWY_AVX3
#define QFW_ROW_ENDS(x, y) asm volatile("" : "+x"(x.raw), "+x"(y.raw))
#else
#define QFW_ROW_ENDS(x, y)
#endif

template <int Rows>
HWY_NOINLINE void sum_pairs(const std::int16_t* a, std::int64_t a_stride, const std::int16_t* b, std::int64_t depth,
                            std::int32_t* tile) {
  const D16 d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V32 sums[Rows][2];
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sums[r][0] = sums[r][1] = hn::Zero(D32());
  for (std::int64_t k = 0; k < depth; k += 2, b += 2 * lanes) {
    const V16 b0 = hn::Load(d, b), b1 = hn::Load(d, b + lanes);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const V16 pair = hn::BitCast(d, repeat(a + r * a_stride + k));
      sums[r][0] = hn::Add(sums[r][0], multiply_pairs(pair, b0));
      sums[r][1] = hn::Add(sums[r][1], multiply_pairs(pair, b1));
      QFW_ROW_ENDS(sums[r][0], sums[r][1]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
    hn::Store(sums[r][0], D32(), tile + r * lanes);
    hn::Store(sums[r][1], D32(), tile + r * lanes + lanes / 2);
  }
}

/// Adds to the tile; 16 bits hold the sums of `depth`.
template <int Rows>
HWY_NOINLINE void add_bytes(const std::uint8_t* a, std::int64_t a_stride, const std::int8_t* b, std::int64_t depth,
                            std::int32_t* tile) {
  const D8 d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d)), wide = lanes / 4;
  V16 sums[Rows][2];
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sums[r][0] = sums[r][1] = hn::Zero(D16());
  for (std::int64_t k = 0; k < depth; k += 4, b += 2 * lanes) {
    const auto b0 = hn::Load(d, b), b1 = hn::Load(d, b + lanes);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const auto four = hn::BitCast(DU8(), repeat(a + r * a_stride + k));
      sums[r][0] = hn::Add(sums[r][0], multiply_bytes(four, b0));
      sums[r][1] = hn::Add(sums[r][1], multiply_bytes(four, b1));
      QFW_ROW_ENDS(sums[r][0], sums[r][1]);
    }
  }
  const V16 ones = hn::Set(D16(), 1);
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      std::int32_t* at = tile + (2 * r + j) * wide;
      hn::Store(hn::Add(hn::Load(D32(), at), multiply_pairs(sums[r][j], ones)), D32(), at);
    }
  }
}

template <int Rows>
HWY_INLINE void store(const std::int32_t* tile, const Target& to) {
  const D32 d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (int r = 0; r < Rows; ++r, tile += 2 * lanes) {
    std::int32_t* line = to.dst + r * to.stride;
    if (to.columns < 2 * lanes) {
      for (std::int64_t j = 0; j < to.columns; ++j) {
        line[j] = tile[j] + (to.add ? line[j] : 0) - (to.compensation != nullptr ? to.compensation[j] : 0);
      }
      continue;
    }
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      std::int32_t* at = line + j * lanes;
      V32 sum = hn::Load(d, tile + j * lanes);
      if (to.add) sum = hn::Add(sum, hn::LoadU(d, at));
      if (to.compensation != nullptr) sum = hn::Sub(sum, hn::LoadU(d, to.compensation + j * lanes));
      if (to.stream) {
        hn::Stream(sum, d, at);
      } else {
        hn::StoreU(sum, d, at);
      }
    }
  }
}

template <int Rows>
void tile(const IntegerProduct& product, const std::byte* a, std::int64_t a_stride, const std::byte* b, std::int64_t depth,
          const Target& to) {
  HWY_ALIGN std::int32_t sums[Rows * 2 * hn::MaxLanes(D32())];
  if (product.bytes) {
    const auto* codes = reinterpret_cast<const std::uint8_t*>(a);
    const auto* weights = reinterpret_cast<const std::int8_t*>(b);
    std::memset(sums, 0, sizeof(sums));
    for (std::int64_t k = 0; k < depth; k += 4 * product.widen_after) {
      add_bytes<Rows>(codes + k, a_stride, weights + k * panel(), std::min(depth - k, 4 * product.widen_after), sums);
    }
  } else {
    sum_pairs<Rows>(reinterpret_cast<const std::int16_t*>(a), a_stride, reinterpret_cast<const std::int16_t*>(b), depth, sums);
  }
  store<Rows>(sums, to);
}
#endif  // QFW_MULTIPLIES_BYTES

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

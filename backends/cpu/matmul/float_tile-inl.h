// The inner loop of products of f32 matrices. Included once per instruction set.
#if defined(QFW_CPU_FLOAT_TILE) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_FLOAT_TILE
#undef QFW_CPU_FLOAT_TILE
#else
#define QFW_CPU_FLOAT_TILE
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(D())); }

#undef QFW_STAYS
#undef QFW_FEW_REGISTERS
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 && HWY_TARGET <= HWY_SSSE3
#define QFW_FEW_REGISTERS 1
// As in integer_gemm.cc: keeps GCC 12 from spilling the accumulators.
#define QFW_STAYS(x) asm volatile("" : "+x"(x.raw))
#else
#define QFW_FEW_REGISTERS 0
#define QFW_STAYS(x)
#endif

/// What an inner loop keeps in registers: so many elements of a column of `a` times so many vectors of channels. An element is
/// spread over a vector, which takes the multiplier's units on some processors (AMD Zen 1: 3 x 4 is 1.2 times as fast as 6 x
/// 2), so few of those with many vectors each; 3 + 1 more registers are operands.
struct Narrow {
  static constexpr int depth = 6, vectors = 2;
};
struct Wide {
  static constexpr int depth = QFW_FEW_REGISTERS ? 3 : 6, vectors = QFW_FEW_REGISTERS ? 4 : 2;
};
/// dst[k * stride + channel] = sum over r < rows of a[k * k_stride + r * a_stride] * b[r][channel] for k < depth, in the order
/// of rows; `add`: to what is there. b is a panel of `vectors` vectors a row, aligned; of these `channels` are written.
template <int depth, int vectors>
HWY_NOINLINE void tile(const float* a, std::int64_t k_stride, std::int64_t a_stride, const float* b, std::int64_t rows,
                       float* dst, std::int64_t stride, std::int64_t channels, bool add) {
  const D d;
  const std::int64_t n = lanes();
  V sums[depth][vectors];
#pragma GCC unroll 6
  for (int k = 0; k < depth; ++k) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) sums[k][j] = hn::Zero(d);
  }
  for (std::int64_t r = 0; r < rows; ++r, a += a_stride, b += vectors * n) {
    if constexpr (vectors > depth) {
      V x[depth];
#pragma GCC unroll 3
      for (int k = 0; k < depth; ++k) x[k] = hn::Set(d, a[k * k_stride]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        const V y = hn::Load(d, b + j * n);
#pragma GCC unroll 3
        for (int k = 0; k < depth; ++k) {
          sums[k][j] = hn::MulAdd(x[k], y, sums[k][j]);
          QFW_STAYS(sums[k][j]);
        }
      }
    } else {
      V y[vectors];
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) y[j] = hn::Load(d, b + j * n);
#pragma GCC unroll 6
      for (int k = 0; k < depth; ++k) {
        const V x = hn::Set(d, a[k * k_stride]);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) {
          sums[k][j] = hn::MulAdd(x, y[j], sums[k][j]);
          QFW_STAYS(sums[k][j]);
        }
      }
    }
  }
  if (channels == vectors * n) {
#pragma GCC unroll 6
    for (int k = 0; k < depth; ++k) {
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        float* at = dst + k * stride + j * n;
        hn::StoreU(add ? hn::Add(sums[k][j], hn::LoadU(d, at)) : sums[k][j], d, at);
      }
    }
    return;
  }
  HWY_ALIGN float line[4 * hn::MaxLanes(D())];
#pragma GCC unroll 6
  for (int k = 0; k < depth; ++k) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) hn::Store(sums[k][j], d, line + j * n);
    for (std::int64_t o = 0; o < channels; ++o) dst[k * stride + o] = line[o] + (add ? dst[k * stride + o] : 0.0f);
  }
}

/// The tile of so many elements, at most `depth`.
template <int depth, int vectors, class... Arguments>
void tile_of(std::int64_t elements, const Arguments&... arguments) {
  if constexpr (depth > 1) {
    if (elements < depth) return tile_of<depth - 1, vectors>(elements, arguments...);
  }
  tile<depth, vectors>(arguments...);
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

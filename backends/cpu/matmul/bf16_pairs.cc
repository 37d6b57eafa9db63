#include "matmul/bf16_pairs.h"

#include "x86_level.h"

#if defined(QFW_CPU_X86_CODE)
#include <immintrin.h>

namespace qfw::cpu {
namespace {

#define QFW_BF16_PAIRS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

QFW_BF16_PAIRS inline __m512i widened(const BFloat16* from, __mmask16 mask) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
}

__mmask16 first_of(std::int64_t count) { return static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1); }

template <int Depth>
QFW_BF16_PAIRS void tile(const std::uint32_t* a, std::int64_t a_stride, const std::uint32_t* b, std::int64_t pairs, float* dst,
                         std::int64_t stride, std::int64_t channels, bool add) {
  __m512 sums[Depth][2];
#pragma GCC unroll 12
  for (int k = 0; k < Depth; ++k) sums[k][0] = sums[k][1] = _mm512_setzero_ps();
  for (std::int64_t pair = 0; pair < pairs; ++pair, a += a_stride, b += pair_channels) {
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b)),
               b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + 16));
#pragma GCC unroll 12
    for (int k = 0; k < Depth; ++k) {
      const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a[k])));
      sums[k][0] = _mm512_dpbf16_ps(sums[k][0], x, b0);
      sums[k][1] = _mm512_dpbf16_ps(sums[k][1], x, b1);
    }
  }
  const __mmask16 low = first_of(channels), high = first_of(channels - 16 > 0 ? channels - 16 : 0);
#pragma GCC unroll 12
  for (int k = 0; k < Depth; ++k) {
    float* at = dst + k * stride;
    if (add) {
      sums[k][0] = _mm512_add_ps(sums[k][0], _mm512_maskz_loadu_ps(low, at));
      sums[k][1] = _mm512_add_ps(sums[k][1], _mm512_maskz_loadu_ps(high, at + 16));
    }
    _mm512_mask_storeu_ps(at, low, sums[k][0]);
    _mm512_mask_storeu_ps(at + 16, high, sums[k][1]);
  }
}

using Tile = void (*)(const std::uint32_t*, std::int64_t, const std::uint32_t*, std::int64_t, float*, std::int64_t,
                      std::int64_t, bool);
constexpr Tile tiles[pair_depth] = {tile<1>, tile<2>, tile<3>, tile<4>,  tile<5>,  tile<6>,
                                    tile<7>, tile<8>, tile<9>, tile<10>, tile<11>, tile<12>};

}  // namespace

bool has_bf16_pairs() { return x86::has_level(x86::Level::avx512_bf16); }

QFW_BF16_PAIRS void pair_up(const BFloat16* first, const BFloat16* second, std::int64_t count, std::uint32_t* to) {
  for (std::int64_t i = 0; i < count; i += 16) {
    const __mmask16 mask = first_of(count - i);
    __m512i both = widened(first + i, mask);
    if (second != nullptr) both = _mm512_or_si512(both, _mm512_slli_epi32(widened(second + i, mask), 16));
    _mm512_mask_storeu_epi32(to + i, mask, both);
  }
}

void multiply_pairs(std::int64_t depth, const std::uint32_t* a, std::int64_t a_stride, const std::uint32_t* b,
                    std::int64_t pairs, float* dst, std::int64_t stride, std::int64_t channels, bool add) {
  tiles[depth - 1](a, a_stride, b, pairs, dst, stride, channels, add);
}

}  // namespace qfw::cpu

#else

namespace qfw::cpu {

bool has_bf16_pairs() { return false; }
void pair_up(const BFloat16*, const BFloat16*, std::int64_t, std::uint32_t*) {}
void multiply_pairs(std::int64_t, const std::uint32_t*, std::int64_t, const std::uint32_t*, std::int64_t, float*, std::int64_t,
                    std::int64_t, bool) {}

}  // namespace qfw::cpu

#endif

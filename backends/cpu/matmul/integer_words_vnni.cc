#include "matmul/integer_words_vnni.h"

#include "x86_level.h"

#if defined(QFW_CPU_X86_CODE)
#include <immintrin.h>

namespace qfw::cpu {
namespace {

#define QFW_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

constexpr std::int64_t lanes = 16;

/// `Count` results from column x on. Stride: the convolution's, 0 if it is neither 1 nor 2.
template <int Count, int Stride>
QFW_VNNI inline void results(const WordRow& row, std::int64_t x) {
  const std::int64_t stride = Stride == 0 ? row.stride : Stride;
  const __m512i none = row.compensation == nullptr ? _mm512_setzero_si512() : _mm512_loadu_si512(row.compensation);
  __m512i sums[Count];
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) sums[i] = _mm512_sub_epi32(_mm512_setzero_si512(), none);
  const std::byte* weights = row.weights;
  for (std::int64_t l = 0; l < row.line_count; ++l) {
    const std::byte* word = row.lines[l] + x * stride * lanes * 4;
    for (std::int64_t j = 0; j < row.width; ++j, word += lanes * 4, weights += lanes * 4) {
      const __m512i weight = _mm512_load_si512(weights);
#pragma GCC unroll 8
      for (int i = 0; i < Count; ++i) {
        sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_load_si512(word + i * stride * lanes * 4), weight);
      }
    }
  }
  const auto mask = static_cast<__mmask16>((1 << row.channels) - 1);
  std::int32_t* to = row.dst + x * row.dst_step;
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i, to += row.dst_step) {
    if (x + i >= row.pixels) return;
    if (row.stream) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to), sums[i]);
    } else {
      _mm512_mask_storeu_epi32(to, mask, sums[i]);
    }
  }
}

template <int Stride>
QFW_VNNI void all_results(const WordRow& row) {
  std::int64_t x = 0;
  for (; x + 4 < row.pixels; x += 8) results<8, Stride>(row, x);
  if (x < row.pixels) results<4, Stride>(row, x);
}

}  // namespace

bool has_vnni() { return x86::has_level(x86::Level::avx512_vnni); }

void multiply_vnni(const WordRow& row) {
  if (row.stride == 1) {
    all_results<1>(row);
  } else if (row.stride == 2) {
    all_results<2>(row);
  } else {
    all_results<0>(row);
  }
}

}  // namespace qfw::cpu

#else

namespace qfw::cpu {

bool has_vnni() { return false; }
void multiply_vnni(const WordRow&) {}

}  // namespace qfw::cpu

#endif

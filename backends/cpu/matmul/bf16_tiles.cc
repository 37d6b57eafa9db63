#include "matmul/bf16_tiles.h"

#include "x86_level.h"

#if defined(QFW_CPU_X86_CODE)
// GCC 12 warns of its own header, which leaves undefined what a mask or a later instruction replaces (its bug 105593).
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <algorithm>

namespace qfw::cpu {
namespace {

#define QFW_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define QFW_AMX __attribute__((target("avx512f,amx-tile,amx-bf16")))

__mmask16 first_of(std::int64_t count) { return static_cast<__mmask16>((1U << count) - 1); }

/// Elements of a row as the bits of bf16, 32 for each.
struct Floats {
  using Type = BFloat16;
  QFW_AVX512 static __m512i load(const BFloat16* from, __mmask16 mask) {
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
  }
};
/// Codes have at most the 8 bits that bf16 holds exactly.
struct Unsigned {
  using Type = std::uint8_t;
  QFW_AVX512 static __m512i load(const std::uint8_t* from, __mmask16 mask) {
    const __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, from)));
    return _mm512_srli_epi32(_mm512_castps_si512(x), 16);
  }
};
struct Signed {
  using Type = std::int8_t;
  QFW_AVX512 static __m512i load(const std::int8_t* from, __mmask16 mask) {
    const __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, from)));
    return _mm512_srli_epi32(_mm512_castps_si512(x), 16);
  }
};

template <class Load>
QFW_AVX512 inline __m512i pair_of(const typename Load::Type* upper, const typename Load::Type* lower, std::int64_t first,
                                  __mmask16 mask) {
  const __m512i low = upper == nullptr ? _mm512_setzero_si512() : Load::load(upper + first, mask);
  const __m512i high = lower == nullptr ? _mm512_setzero_si512() : Load::load(lower + first, mask);
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// 16 x 16 words, in place.
QFW_AVX512 inline void transpose(__m512i (&x)[16]) {
  __m512i y[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
    y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // of four rows, words i, 4 + i, 8 + i, 12 + i
    x[4 * i] = _mm512_unpacklo_epi64(y[4 * i], y[4 * i + 2]);
    x[4 * i + 1] = _mm512_unpackhi_epi64(y[4 * i], y[4 * i + 2]);
    x[4 * i + 2] = _mm512_unpacklo_epi64(y[4 * i + 1], y[4 * i + 3]);
    x[4 * i + 3] = _mm512_unpackhi_epi64(y[4 * i + 1], y[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i even = _mm512_shuffle_i32x4(x[i], x[4 + i], 0x88), odd = _mm512_shuffle_i32x4(x[i], x[4 + i], 0xdd);
    const __m512i even2 = _mm512_shuffle_i32x4(x[8 + i], x[12 + i], 0x88),
                  odd2 = _mm512_shuffle_i32x4(x[8 + i], x[12 + i], 0xdd);
    y[i] = _mm512_shuffle_i32x4(even, even2, 0x88);
    y[8 + i] = _mm512_shuffle_i32x4(even, even2, 0xdd);
    y[4 + i] = _mm512_shuffle_i32x4(odd, odd2, 0x88);
    y[12 + i] = _mm512_shuffle_i32x4(odd, odd2, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) x[i] = y[i];
}

template <class Load>
QFW_AVX512 void gather(const typename Load::Type* const* rows, std::int64_t first, std::int64_t count, std::byte* tile) {
  const __mmask16 mask = first_of(count);
  __m512i x[16];
#pragma GCC unroll 16
  for (int pair = 0; pair < 16; ++pair) x[pair] = pair_of<Load>(rows[2 * pair], rows[2 * pair + 1], first, mask);
  transpose(x);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) _mm512_store_si512(tile + i * 64, x[i]);
}

/// What LDTILECFG reads: palette 1, eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileSetup {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr TileSetup setup{};
QFW_AMX void set_up() { _tile_loadconfig(&setup); }
QFW_AMX void release() { _tile_release(); }

}  // namespace

bool has_bf16_tiles() { return x86::has_amx(); }

void gather_tile(const BFloat16* const* rows, std::int64_t first, std::int64_t count, std::byte* tile) {
  gather<Floats>(rows, first, count, tile);
}
void gather_tile(const std::uint8_t* const* rows, std::int64_t first, std::int64_t count, std::byte* tile) {
  gather<Unsigned>(rows, first, count, tile);
}
void gather_tile(const std::int8_t* const* rows, std::int64_t first, std::int64_t count, std::byte* tile) {
  gather<Signed>(rows, first, count, tile);
}

QFW_AVX512 void pair_tile(const BFloat16* grad, std::int64_t stride, std::int64_t rows, std::int64_t count, std::byte* tile) {
  const __mmask16 mask = first_of(count);
  for (std::int64_t r = 0; r < tile_rows; r += 2, grad += 2 * stride, tile += 64) {
    _mm512_store_si512(tile, pair_of<Floats>(r < rows ? grad : nullptr, r + 1 < rows ? grad + stride : nullptr, 0, mask));
  }
}

TileUnit::TileUnit() { set_up(); }
TileUnit::~TileUnit() { release(); }

QFW_AMX void multiply_tiles(const std::byte* a, std::int64_t a_next, const std::byte* b, std::int64_t b_next,
                            std::int64_t steps, float* dst, std::int64_t stride, bool add) {
  const std::int64_t row = stride * static_cast<std::int64_t>(sizeof(float));
  float* below = dst + tile_size * stride;
  if (add) {
    _tile_loadd(0, dst, row);
    _tile_loadd(1, dst + tile_size, row);
    _tile_loadd(2, below, row);
    _tile_loadd(3, below + tile_size, row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::int64_t step = 0; step < steps; ++step, a += tile_bytes, b += tile_bytes) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + b_next, 64);
    _tile_loadd(5, a + a_next, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, dst, row);
  _tile_stored(1, dst + tile_size, row);
  _tile_stored(2, below, row);
  _tile_stored(3, below + tile_size, row);
}

}  // namespace qfw::cpu

#else

namespace qfw::cpu {

bool has_bf16_tiles() { return false; }
void gather_tile(const BFloat16* const*, std::int64_t, std::int64_t, std::byte*) {}
void gather_tile(const std::uint8_t* const*, std::int64_t, std::int64_t, std::byte*) {}
void gather_tile(const std::int8_t* const*, std::int64_t, std::int64_t, std::byte*) {}
void pair_tile(const BFloat16*, std::int64_t, std::int64_t, std::int64_t, std::byte*) {}
TileUnit::TileUnit() = default;
TileUnit::~TileUnit() = default;
void multiply_tiles(const std::byte*, std::int64_t, const std::byte*, std::int64_t, std::int64_t, float*, std::int64_t, bool) {}

}  // namespace qfw::cpu

#endif

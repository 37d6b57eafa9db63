#include "peak.h"
#include "x86_level.h"

// Instructions that Highway has no function for. Functions say which they use; none runs before the processor and the system
// were asked.
#include <cstring>
#include <numeric>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace qfw::cpu::peak {

#if defined(__x86_64__)

namespace {

struct Features {
  bool avx_vnni = false, avx512_bf16 = false, amx_bf16 = false, amx_int8 = false;
};

/// What not every compiler's __builtin_cpu_supports has a name for. Whether the system saves the registers is asked of that.
Features features() {
  Features found;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  found.amx_bf16 = (d >> 22 & 1) != 0;
  found.amx_int8 = (d >> 25 & 1) != 0;
  if (a == 0 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return found;
  found.avx_vnni = (a >> 4 & 1) != 0;
  found.avx512_bf16 = (a >> 5 & 1) != 0;
  return found;
}

constexpr int chains = 10;  // hides the latency of two units of five cycles, and leaves registers for the operands

/// Each chain begins elsewhere, or the compiler would see that they are one. Through memory: what sets or sums vectors is not
/// to be called by functions for other instructions.
void start(void* sums, std::size_t bytes) {
  std::vector<std::int32_t> values(bytes / sizeof(std::int32_t));
  std::iota(values.begin(), values.end(), 1);
  std::memcpy(sums, values.data(), bytes);
}

float total(const void* sums, std::size_t bytes) {
  std::vector<std::int32_t> values(bytes / sizeof(std::int32_t));
  std::memcpy(values.data(), sums, bytes);
  return std::accumulate(values.begin(), values.end(), 0.0f);
}

// The operands look new to the compiler in each repetition: it would do once what does not change.
#define QFW_CHANGES(x) asm volatile("" : "+x"(x))
#define QFW_CHANGES_512(x) asm volatile("" : "+v"(x))

// A loop with `step` for each of the sums. A macro, because a template is not compiled for the instructions of its argument;
// what it needs besides is declared at the end.
#define QFW_LOOP(name, instructions, Vector, step, ...)                                      \
  __attribute__((target(instructions))) void name(std::int64_t repetitions, float* result) { \
    Vector sums[chains];                                                                     \
    start(sums, sizeof sums);                                                                \
    __VA_ARGS__;                                                                             \
    for (std::int64_t n = 0; n < repetitions; ++n) {                                         \
      _Pragma("GCC unroll 10") for (Vector & sum : sums) { step; }                           \
    }                                                                                        \
    *result = total(sums, sizeof sums);                                                      \
  }

// clang-format off
QFW_LOOP(dot_512, "avx512f,avx512bw,avx512vnni", __m512i,
         sum = _mm512_dpbusd_epi32(sum, a, b),
         const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-1))

QFW_LOOP(pairs_512, "avx512f,avx512bw", __m512i,
         QFW_CHANGES_512(a); sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones)),
         __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-1), ones = _mm512_set1_epi16(1))

QFW_LOOP(dot_256, "avx2,avxvnni", __m256i,
         sum = _mm256_dpbusd_avx_epi32(sum, a, b),
         const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-1))

QFW_LOOP(pairs_256, "avx2", __m256i,
         QFW_CHANGES(a); sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones)),
         __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-1), ones = _mm256_set1_epi16(1))

QFW_LOOP(dot_bf16, "avx512f,avx512bf16", __m512,
         sum = _mm512_dpbf16_ps(sum, a, a),
         const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.25f)))
// clang-format on

#undef QFW_LOOP

// ---- Tiles: 16 rows of 64 bytes, six of sums and two of operands.
constexpr int tile_chains = 6;

struct alignas(64) TileSetup {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr TileSetup tile_setup{};

// Of rows of `a` and columns of `b`, bytes.
#define QFW_TILE_LOOP(name, instructions, multiply, a, b)                                    \
  __attribute__((target(instructions))) void name(std::int64_t repetitions, float* result) { \
    alignas(64) std::uint8_t left[1024], right[1024];                                        \
    alignas(64) std::int32_t sums[tile_chains][256] = {};                                    \
    std::memset(left, a, sizeof left);                                                       \
    std::memset(right, b, sizeof right);                                                     \
    _tile_loadconfig(&tile_setup);                                                           \
    _tile_loadd(6, left, 64);                                                                \
    _tile_loadd(7, right, 64);                                                               \
    _tile_zero(0);                                                                           \
    _tile_zero(1);                                                                           \
    _tile_zero(2);                                                                           \
    _tile_zero(3);                                                                           \
    _tile_zero(4);                                                                           \
    _tile_zero(5);                                                                           \
    for (std::int64_t n = 0; n < repetitions; ++n) {                                         \
      multiply(0, 6, 7);                                                                     \
      multiply(1, 6, 7);                                                                     \
      multiply(2, 6, 7);                                                                     \
      multiply(3, 6, 7);                                                                     \
      multiply(4, 6, 7);                                                                     \
      multiply(5, 6, 7);                                                                     \
    }                                                                                        \
    _tile_stored(0, sums[0], 64);                                                            \
    _tile_stored(1, sums[1], 64);                                                            \
    _tile_stored(2, sums[2], 64);                                                            \
    _tile_stored(3, sums[3], 64);                                                            \
    _tile_stored(4, sums[4], 64);                                                            \
    _tile_stored(5, sums[5], 64);                                                            \
    _tile_release();                                                                         \
    *result = total(sums, sizeof sums);                                                      \
  }

QFW_TILE_LOOP(tiles_bf16, "amx-tile,amx-bf16", _tile_dpbf16ps, 0x3e, 0x3e)  // 0.186
QFW_TILE_LOOP(tiles_int8, "amx-tile,amx-int8", _tile_dpbusd, 3, -1)

#undef QFW_TILE_LOOP

}  // namespace

Loop bfloats() {
  const Features has = features();
  if (has.amx_bf16) return x86::has_amx() ? Loop{&tiles_bf16, tile_chains * 16 * 16 * 32} : Loop{};
  if (has.avx512_bf16 && __builtin_cpu_supports("avx512f")) return {&dot_bf16, chains * 32};
  return floats();
}

Loop integers() {
  const Features has = features();
  if (has.amx_int8) return x86::has_amx() ? Loop{&tiles_int8, tile_chains * 16 * 16 * 64} : Loop{};
  if (__builtin_cpu_supports("avx512bw")) {
    return __builtin_cpu_supports("avx512vnni") ? Loop{&dot_512, chains * 64} : Loop{&pairs_512, chains * 64};
  }
  if (!__builtin_cpu_supports("avx2")) return {};
  return has.avx_vnni ? Loop{&dot_256, chains * 32} : Loop{&pairs_256, chains * 32};
}

#else

Loop bfloats() { return {}; }
Loop integers() { return {}; }

#endif

}  // namespace qfw::cpu::peak

// What x86 has for products of codes. Included once per instruction set.
#if defined(QFW_CPU_INTEGER_INSTRUCTIONS) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_INTEGER_INSTRUCTIONS
#undef QFW_CPU_INTEGER_INSTRUCTIONS
#else
#define QFW_CPU_INTEGER_INSTRUCTIONS
#endif

#include "hwy/highway.h"

// Whether there are instructions that multiply bytes and add their products: from SSSE3 on. What a compiler takes for granted
// on x86-64 is Highway's SCALAR, EMU128 or SSE2, by its version.
#undef QFW_MULTIPLIES_BYTES
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
#define QFW_MULTIPLIES_BYTES 1
#else
#define QFW_MULTIPLIES_BYTES 0
#endif

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Of floats that are integers of 32 bits: what is beyond these is not looked for.
HWY_INLINE hn::Vec<hn::ScalableTag<std::int32_t>> whole_numbers(hn::Vec<hn::ScalableTag<float>> numbers) {
#if !QFW_MULTIPLIES_BYTES
  return hn::ConvertTo(hn::ScalableTag<std::int32_t>(), numbers);
#elif HWY_TARGET <= HWY_AVX3
  return hn::Vec<hn::ScalableTag<std::int32_t>>{_mm512_cvttps_epi32(numbers.raw)};
#elif HWY_TARGET <= HWY_AVX2
  return hn::Vec<hn::ScalableTag<std::int32_t>>{_mm256_cvttps_epi32(numbers.raw)};
#else
  return hn::Vec<hn::ScalableTag<std::int32_t>>{_mm_cvttps_epi32(numbers.raw)};
#endif
}

HWY_INLINE bool bytes_possible() { return QFW_MULTIPLIES_BYTES != 0; }

#if QFW_MULTIPLIES_BYTES
using D32 = hn::ScalableTag<std::int32_t>;
using D16 = hn::Repartition<std::int16_t, D32>;
using D8 = hn::Repartition<std::int8_t, D32>;
using DU8 = hn::Repartition<std::uint8_t, D32>;
using V32 = hn::Vec<D32>;
using V16 = hn::Vec<D16>;

#if HWY_TARGET <= HWY_AVX3
HWY_INLINE V32 multiply_pairs(V16 a, V16 b) { return V32{_mm512_madd_epi16(a.raw, b.raw)}; }
HWY_INLINE V16 multiply_bytes(hn::Vec<DU8> a, hn::Vec<D8> b) { return V16{_mm512_maddubs_epi16(a.raw, b.raw)}; }
#elif HWY_TARGET <= HWY_AVX2
HWY_INLINE V32 multiply_pairs(V16 a, V16 b) { return V32{_mm256_madd_epi16(a.raw, b.raw)}; }
HWY_INLINE V16 multiply_bytes(hn::Vec<DU8> a, hn::Vec<D8> b) { return V16{_mm256_maddubs_epi16(a.raw, b.raw)}; }
#else
HWY_INLINE V32 multiply_pairs(V16 a, V16 b) { return V32{_mm_madd_epi16(a.raw, b.raw)}; }
HWY_INLINE V16 multiply_bytes(hn::Vec<DU8> a, hn::Vec<D8> b) { return V16{_mm_maddubs_epi16(a.raw, b.raw)}; }
#endif
#endif

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

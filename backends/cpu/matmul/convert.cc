#include "matmul/convert.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/convert.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void widen_part(const BFloat16* from, std::int64_t count, float* to) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> half;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto bits = hn::LoadU(half, reinterpret_cast<const std::uint16_t*>(from) + i);
    hn::StoreU(hn::ShiftLeft<16>(hn::PromoteTo(d, bits)), d, reinterpret_cast<std::uint32_t*>(to) + i);
  }
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

void narrow_part(const float* from, std::int64_t count, BFloat16* to) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const hn::Rebind<std::uint16_t, decltype(d)> half;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto bias = hn::Set(d, 0x7fff), one = hn::Set(d, 1), quiet = hn::Set(d, 0x40);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::LoadU(df, from + i);
    const auto bits = hn::BitCast(d, value), upper = hn::ShiftRight<16>(bits);
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(bias, hn::And(upper, one))));
    const auto nan = hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(df, hn::IsNaN(value))));
    hn::StoreU(hn::TruncateTo(half, hn::IfThenElse(nan, hn::Or(upper, quiet), rounded)), half,
               reinterpret_cast<std::uint16_t*>(to) + i);
  }
  for (; i < count; ++i) to[i] = BFloat16(from[i]);
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {
namespace {

constexpr std::int64_t part = 1 << 14;

}  // namespace

HWY_EXPORT(widen_part);
HWY_EXPORT(narrow_part);

void widen(const BFloat16* from, std::int64_t count, float* to, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < count; i += part) HWY_DYNAMIC_DISPATCH(widen_part)(from + i, std::min(part, count - i), to + i);
}

void narrow(const float* from, std::int64_t count, BFloat16* to, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < count; i += part) HWY_DYNAMIC_DISPATCH(narrow_part)(from + i, std::min(part, count - i), to + i);
}

}  // namespace qfw::cpu
#endif

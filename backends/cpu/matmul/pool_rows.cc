#include "matmul/pool_rows.h"

#include <algorithm>

#include "qfw/tensor.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "matmul/pool_rows.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Bits = hn::RebindToUnsigned<D>;
template <class D>
using HalfBits = hn::Rebind<std::uint16_t, D>;

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const BFloat16* from) {
  const auto half = hn::LoadU(HalfBits<D>(), reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(Bits<D>(), half)));
}

template <class D>
HWY_INLINE void store(D d, hn::Vec<D> value, float* to) {
  hn::StoreU(value, d, to);
}
template <class D>
HWY_INLINE void store(D, hn::Vec<D> value, BFloat16* to) {
  const Bits<D> bits;
  const auto word = hn::BitCast(bits, value), upper = hn::ShiftRight<16>(word);
  const auto bias = hn::Add(hn::Set(bits, 0x7fff), hn::And(upper, hn::Set(bits, 1)));
  const auto nan = hn::RebindMask(bits, hn::IsNaN(value));
  const auto rounded = hn::IfThenElse(nan, hn::Or(upper, hn::Set(bits, 0x40)), hn::ShiftRight<16>(hn::Add(word, bias)));
  hn::StoreU(hn::TruncateTo(HalfBits<D>(), rounded), HalfBits<D>(), reinterpret_cast<std::uint16_t*>(to));
}

/// The part [low, high) of a window of that size at `at` which lies in an extent.
struct Span {
  std::int64_t low, high;
};
inline Span inside(std::int64_t at, std::int64_t window, std::int64_t extent) {
  return {std::max<std::int64_t>(-at, 0), std::min(window, extent - at)};
}

template <class D, class T>
HWY_INLINE void window(D d, const PoolGeometry& g, const T* x, Span rows, Span columns, T* dst, std::uint16_t* winners) {
  const Bits<D> bits;
  auto best = load(d, x + (rows.low * g.w + columns.low) * g.c);
  auto winner = hn::Set(bits, static_cast<std::uint32_t>(rows.low * g.pool.window[1] + columns.low));
  for (std::int64_t i = rows.low; i < rows.high; ++i) {
    for (std::int64_t j = columns.low; j < columns.high; ++j) {
      const auto value = load(d, x + (i * g.w + j) * g.c);
      const auto beats = hn::And(hn::Not(hn::Le(value, best)), hn::Not(hn::IsNaN(best)));
      best = hn::IfThenElse(beats, value, best);
      if (winners != nullptr) {
        winner = hn::IfThenElse(hn::RebindMask(bits, beats),
                                hn::Set(bits, static_cast<std::uint32_t>(i * g.pool.window[1] + j)), winner);
      }
    }
  }
  if (dst != nullptr) store(d, best, dst);
  if (winners != nullptr) hn::StoreU(hn::TruncateTo(HalfBits<D>(), winner), HalfBits<D>(), winners);
}

template <class T>
void pool(const PoolGeometry& g, const T* x, std::int64_t image, std::int64_t row, T* dst, std::uint16_t* winners) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t top = row * g.pool.stride[0] - g.pool.padding.low[0];
  const Span rows = inside(top, g.pool.window[0], g.h);
  for (std::int64_t column = 0; column < g.ow; ++column) {
    const std::int64_t left = column * g.pool.stride[1] - g.pool.padding.low[1];
    const Span columns = inside(left, g.pool.window[1], g.w);
    const T* from = x + ((image * g.h + top) * g.w + left) * g.c;
    const std::int64_t at = ((image * g.oh + row) * g.ow + column) * g.c;
    std::int64_t c = 0;
    for (; c + lanes <= g.c; c += lanes) {
      window(d, g, from + c, rows, columns, dst == nullptr ? dst : dst + at + c,
             winners == nullptr ? winners : winners + at + c);
    }
    for (; c < g.c; ++c) {
      window(one, g, from + c, rows, columns, dst == nullptr ? dst : dst + at + c,
             winners == nullptr ? winners : winners + at + c);
    }
  }
}

void pool_any(const PoolGeometry& g, bool bf16, const void* x, std::int64_t image, std::int64_t row, void* dst,
              std::uint16_t* winners) {
  if (bf16) {
    pool(g, static_cast<const BFloat16*>(x), image, row, static_cast<BFloat16*>(dst), winners);
  } else {
    pool(g, static_cast<const float*>(x), image, row, static_cast<float*>(dst), winners);
  }
}

/// The results whose windows hold an element at `at`.
inline Span covering(std::int64_t at, std::int64_t window, std::int64_t stride, std::int64_t low, std::int64_t results) {
  const std::int64_t last = at + low, first = last - window + 1;
  return {first <= 0 ? 0 : (first + stride - 1) / stride, std::min(results, last / stride + 1)};
}

template <class D, class T>
HWY_INLINE void gather(D d, const PoolGeometry& g, const T* grad, const std::uint16_t* winners, std::int64_t row,
                       std::int64_t column, Span rows, Span columns, T* dst) {
  const Bits<D> bits;
  auto sum = hn::Zero(d);
  for (std::int64_t y = rows.low; y < rows.high; ++y) {
    const std::int64_t i = row + g.pool.padding.low[0] - y * g.pool.stride[0];
    for (std::int64_t z = columns.low; z < columns.high; ++z) {
      const std::int64_t j = column + g.pool.padding.low[1] - z * g.pool.stride[1], at = (y * g.ow + z) * g.c;
      const auto winner = hn::PromoteTo(bits, hn::LoadU(HalfBits<D>(), winners + at));
      const auto won = hn::RebindMask(d, hn::Eq(winner, hn::Set(bits, static_cast<std::uint32_t>(i * g.pool.window[1] + j))));
      sum = hn::Add(sum, hn::IfThenElseZero(won, load(d, grad + at)));
    }
  }
  store(d, sum, dst);
}

template <class T>
void pool_grad(const PoolGeometry& g, const T* grad, const std::uint16_t* winners, std::int64_t image, std::int64_t row,
               T* dst) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t results = image * g.oh * g.ow * g.c;
  const Span rows = covering(row, g.pool.window[0], g.pool.stride[0], g.pool.padding.low[0], g.oh);
  dst += (image * g.h + row) * g.w * g.c;
  for (std::int64_t column = 0; column < g.w; ++column, dst += g.c) {
    const Span columns = covering(column, g.pool.window[1], g.pool.stride[1], g.pool.padding.low[1], g.ow);
    std::int64_t c = 0;
    for (; c + lanes <= g.c; c += lanes)
      gather(d, g, grad + results + c, winners + results + c, row, column, rows, columns, dst + c);
    for (; c < g.c; ++c) gather(one, g, grad + results + c, winners + results + c, row, column, rows, columns, dst + c);
  }
}

void pool_grad_any(const PoolGeometry& g, bool bf16, const void* grad, const std::uint16_t* winners, std::int64_t image,
                   std::int64_t row, void* dst) {
  if (bf16) {
    pool_grad(g, static_cast<const BFloat16*>(grad), winners, image, row, static_cast<BFloat16*>(dst));
  } else {
    pool_grad(g, static_cast<const float*>(grad), winners, image, row, static_cast<float*>(dst));
  }
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(pool_any);
HWY_EXPORT(pool_grad_any);

void pool_row(const PoolGeometry& g, bool bf16, const void* x, std::int64_t image, std::int64_t row, void* dst,
              std::uint16_t* winners) {
  HWY_DYNAMIC_DISPATCH(pool_any)(g, bf16, x, image, row, dst, winners);
}
void pool_grad_row(const PoolGeometry& g, bool bf16, const void* grad, const std::uint16_t* winners, std::int64_t image,
                   std::int64_t row, void* dst) {
  HWY_DYNAMIC_DISPATCH(pool_grad_any)(g, bf16, grad, winners, image, row, dst);
}

}  // namespace qfw::cpu
#endif

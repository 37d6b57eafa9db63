#include "tile_ops.h"

#include <cstring>

#include "qfw/elementary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fused/tile_ops.cc"
// The same in all files: what is chosen once holds for all.
#define HWY_DISABLED_TARGETS HWY_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, tile_step>;
using DI = hn::RebindToSigned<D>;
using DU = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
constexpr D d;
constexpr DI di;
constexpr DU du;

/// A cast's contract wants whole numbers in range; NaN, which breaks it, becomes 0 on every machine.
HWY_INLINE hn::Vec<DI> whole_of(V a) { return hn::ConvertTo(di, hn::IfThenZeroElse(hn::IsNaN(a), a)); }

// clang-format off
struct Negate { HWY_INLINE V operator()(V a) const { return hn::Neg(a); } };
struct Relu { HWY_INLINE V operator()(V a) const { return hn::IfThenZeroElse(hn::Le(a, hn::Zero(d)), a); } };
struct Abs { HWY_INLINE V operator()(V a) const { return hn::Abs(a); } };
struct Sqrt { HWY_INLINE V operator()(V a) const { return hn::Sqrt(a); } };
struct Floor { HWY_INLINE V operator()(V a) const { return hn::Floor(a); } };
struct RoundEven { HWY_INLINE V operator()(V a) const { return hn::Round(a); } };
struct IsFinite { HWY_INLINE V operator()(V a) const { return hn::IfThenElseZero(hn::IsFinite(a), hn::Set(d, 1.0f)); } };
struct ToFloat { HWY_INLINE V operator()(V a) const { return hn::ConvertTo(d, hn::BitCast(di, a)); } };
struct ToInt { HWY_INLINE V operator()(V a) const { return hn::BitCast(d, whole_of(a)); } };

struct Add { HWY_INLINE V operator()(V a, V b) const { return hn::Add(a, b); } };
struct Subtract { HWY_INLINE V operator()(V a, V b) const { return hn::Sub(a, b); } };
struct Multiply { HWY_INLINE V operator()(V a, V b) const { return hn::Mul(a, b); } };
struct Divide { HWY_INLINE V operator()(V a, V b) const { return hn::Div(a, b); } };
struct Minimum { HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b); } };
struct Maximum { HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b); } };
struct Less { HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElseZero(hn::Lt(a, b), hn::Set(d, 1.0f)); } };
struct LessEqual { HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElseZero(hn::Le(a, b), hn::Set(d, 1.0f)); } };
struct Equal { HWY_INLINE V operator()(V a, V b) const { return hn::IfThenElseZero(hn::Eq(a, b), hn::Set(d, 1.0f)); } };
// clang-format on

/// The bits of the nearest bf16 in the upper half; the lower half is not cleared.
HWY_INLINE hn::Vec<DU> rounded_bits(V a) {
  const auto bits = hn::BitCast(du, a);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7fffu)), odd);
  const auto quiet = hn::Or(bits, hn::Set(du, 0x400000u));
  return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(a)), quiet, rounded);
}
struct RoundBf16 {
  HWY_INLINE V operator()(V a) const { return hn::BitCast(d, hn::And(rounded_bits(a), hn::Set(du, 0xffff0000u))); }
};

template <class F>
void unary(const float* a, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += tile_step) {
    for (std::size_t k = i; k < i + tile_step; k += hn::Lanes(d)) hn::StoreU(F()(hn::LoadU(d, a + k)), d, out + k);
  }
}

template <float (*f)(float)>
void unary_scalar(const float* a, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out[i] = f(a[i]);
}

template <class F>
void full_full(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols) {
  const std::size_t n = rows * cols;
  for (std::size_t i = 0; i < n; i += tile_step) {
    for (std::size_t k = i; k < i + tile_step; k += hn::Lanes(d)) {
      hn::StoreU(F()(hn::LoadU(d, a + k), hn::LoadU(d, b + k)), d, out + k);
    }
  }
}

template <class F>
void full_row(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols) {
  for (; rows > 0; --rows, a += cols, out += cols) full_full<F>(a, b, out, 1, cols);
}

template <class F>
void row_full(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols) {
  for (; rows > 0; --rows, b += cols, out += cols) full_full<F>(a, b, out, 1, cols);
}

template <class F>
void full_scalar(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols) {
  const std::size_t n = rows * cols;
  const V number = hn::Set(d, *b);
  for (std::size_t i = 0; i < n; i += tile_step) {
    for (std::size_t k = i; k < i + tile_step; k += hn::Lanes(d)) hn::StoreU(F()(hn::LoadU(d, a + k), number), d, out + k);
  }
}

template <class F>
void scalar_full(const float* a, const float* b, float* out, std::size_t rows, std::size_t cols) {
  const std::size_t n = rows * cols;
  const V number = hn::Set(d, *a);
  for (std::size_t i = 0; i < n; i += tile_step) {
    for (std::size_t k = i; k < i + tile_step; k += hn::Lanes(d)) hn::StoreU(F()(number, hn::LoadU(d, b + k)), d, out + k);
  }
}

template <bool number_a, bool number_b>
void select(const float* condition, const float* a, const float* b, float* out, std::size_t n) {
  const V one_a = hn::Set(d, *a), one_b = hn::Set(d, *b);
  for (std::size_t i = 0; i < n; i += tile_step) {
    for (std::size_t k = i; k < i + tile_step; k += hn::Lanes(d)) {
      const auto zero = hn::Eq(hn::LoadU(d, condition + k), hn::Zero(d));
      const V if_true = number_a ? one_a : hn::LoadU(d, a + k), if_false = number_b ? one_b : hn::LoadU(d, b + k);
      hn::StoreU(hn::IfThenElse(zero, if_false, if_true), d, out + k);
    }
  }
}

void load_words(const void* from, float* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }
void store_words(const float* from, void* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }

/// Whole vectors, then the rest through a padded copy.
template <class T, class Convert>
HWY_INLINE void load(const void* from, float* to, std::size_t n, Convert convert) {
  const T* source = static_cast<const T*>(from);
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(convert(source + i), d, to + i);
  if (i == n) return;
  T padded[tile_step] = {};
  float wide[tile_step];
  std::memcpy(padded, source + i, (n - i) * sizeof(T));
  hn::StoreU(convert(padded), d, wide);
  std::memcpy(to + i, wide, (n - i) * sizeof(float));
}

template <class T, class Convert>
HWY_INLINE void store(const float* from, void* to, std::size_t n, Convert convert) {
  T* target = static_cast<T*>(to);
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) convert(hn::LoadU(d, from + i), target + i);
  if (i == n) return;
  float padded[tile_step] = {};
  T narrow[tile_step];
  std::memcpy(padded, from + i, (n - i) * sizeof(float));
  convert(hn::LoadU(d, padded), narrow);
  std::memcpy(target + i, narrow, (n - i) * sizeof(T));
}

struct FromBf16 {
  HWY_INLINE V operator()(const std::uint16_t* p) const {
    const hn::Rebind<std::uint16_t, D> narrow;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(narrow, p))));
  }
};
template <class T>
struct FromByte {
  HWY_INLINE V operator()(const T* p) const {
    const hn::Rebind<T, D> narrow;
    return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(narrow, p)));
  }
};
/// The upper halves of words, which are what a signed narrowing of the shifted words keeps.
HWY_INLINE void store_upper(hn::Vec<DU> bits, std::uint16_t* p) {
  const hn::Rebind<std::int16_t, D> narrow;
  const auto upper = hn::ShiftRight<16>(hn::BitCast(di, bits));
  hn::StoreU(hn::DemoteTo(narrow, upper), narrow, reinterpret_cast<std::int16_t*>(p));
}
struct ToBf16 {
  HWY_INLINE void operator()(V a, std::uint16_t* p) const { store_upper(hn::BitCast(du, a), p); }
};
struct ToBf16Rounding {
  HWY_INLINE void operator()(V a, std::uint16_t* p) const { store_upper(rounded_bits(a), p); }
};
template <class T>
struct ToByte {
  HWY_INLINE void operator()(V a, T* p) const {
    const hn::Rebind<T, D> narrow;
    hn::StoreU(hn::DemoteTo(narrow, whole_of(a)), narrow, p);
  }
};

// clang-format off
void load_bf16(const void* from, float* to, std::size_t n) { load<std::uint16_t>(from, to, n, FromBf16()); }
void load_s8(const void* from, float* to, std::size_t n) { load<std::int8_t>(from, to, n, FromByte<std::int8_t>()); }
void load_u8(const void* from, float* to, std::size_t n) { load<std::uint8_t>(from, to, n, FromByte<std::uint8_t>()); }
void store_bf16(const float* from, void* to, std::size_t n) { store<std::uint16_t>(from, to, n, ToBf16()); }
void store_rounding(const float* from, void* to, std::size_t n) { store<std::uint16_t>(from, to, n, ToBf16Rounding()); }
void store_s8(const float* from, void* to, std::size_t n) { store<std::int8_t>(from, to, n, ToByte<std::int8_t>()); }
void store_u8(const float* from, void* to, std::size_t n) { store<std::uint8_t>(from, to, n, ToByte<std::uint8_t>()); }
// clang-format on

template <class F>
void join_rows(const float* x, float* result, std::size_t rows, std::size_t cols) {
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    V joined = hn::LoadU(d, result + i);
    for (std::size_t row = 0; row < rows; ++row) joined = F()(hn::LoadU(d, x + row * cols + i), joined);
    hn::StoreU(joined, d, result + i);
  }
}

using D64 = hn::CappedTag<double, tile_step / 2>;
using Half = hn::Rebind<float, D64>;
constexpr D64 d64;
constexpr Half half;

void sum_rows(const float* x, double* sums, std::size_t rows, std::size_t cols) {
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d64)) {
    auto sum = hn::LoadU(d64, sums + i);
    for (std::size_t row = 0; row < rows; ++row) {
      sum = hn::Add(sum, hn::PromoteTo(d64, hn::LoadU(half, x + row * cols + i)));
    }
    hn::StoreU(sum, d64, sums + i);
  }
}

void moments_rows(const float* x, const float* pivot, double* sums, double* squares, std::size_t rows, std::size_t cols) {
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d64)) {
    auto sum = hn::LoadU(d64, sums + i), square = hn::LoadU(d64, squares + i);
    const auto middle = hn::PromoteTo(d64, hn::LoadU(half, pivot + i));
    for (std::size_t row = 0; row < rows; ++row) {
      const auto value = hn::Sub(hn::PromoteTo(d64, hn::LoadU(half, x + row * cols + i)), middle);
      sum = hn::Add(sum, value);
      square = hn::Add(square, hn::Mul(value, value));
    }
    hn::StoreU(sum, d64, sums + i);
    hn::StoreU(square, d64, squares + i);
  }
}

HWY_INLINE void add_as_doubles(V x, double* sums) {
  const std::size_t lanes = hn::Lanes(d64);
  float narrow[tile_step];
  hn::StoreU(x, d, narrow);
  for (std::size_t i = 0; i < hn::Lanes(d); i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d64, sums + i), hn::PromoteTo(d64, hn::LoadU(half, narrow + i))), d64, sums + i);
  }
}

void sum_blocks(const float* x, double* sums, std::size_t rows, std::size_t cols) {
  for (; rows > 0; x += std::min(rows, block_rows) * cols, rows -= std::min(rows, block_rows)) {
    const std::size_t block = std::min(rows, block_rows);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      V sum = hn::LoadU(d, x + i);
      for (std::size_t row = 1; row < block; ++row) sum = hn::Add(sum, hn::LoadU(d, x + row * cols + i));
      add_as_doubles(sum, sums + i);
    }
  }
}

void moments_blocks(const float* x, const float* pivot, double* sums, double* squares, std::size_t rows, std::size_t cols) {
  for (; rows > 0; x += std::min(rows, block_rows) * cols, rows -= std::min(rows, block_rows)) {
    const std::size_t block = std::min(rows, block_rows);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      const V middle = hn::LoadU(d, pivot + i);
      V sum = hn::Sub(hn::LoadU(d, x + i), middle), square = hn::Mul(sum, sum);
      for (std::size_t row = 1; row < block; ++row) {
        const V value = hn::Sub(hn::LoadU(d, x + row * cols + i), middle);
        sum = hn::Add(sum, value);
        square = hn::Add(square, hn::Mul(value, value));
      }
      add_as_doubles(sum, sums + i);
      add_as_doubles(square, squares + i);
    }
  }
}

/// Whole steps as rows, then what is left of one.
void sum_lanes(const float* x, std::size_t n, double* lanes) {
  const std::size_t whole = n / tile_step;
  sum_rows(x, lanes, whole, tile_step);
  for (std::size_t i = 0; i < n % tile_step; ++i) lanes[i] += static_cast<double>(x[whole * tile_step + i]);
}

void moments_lanes(const float* x, std::size_t n, double pivot, double* sums, double* squares) {
  float pivots[tile_step];
  hn::StoreU(hn::Set(d, static_cast<float>(pivot)), d, pivots);
  for (std::size_t k = hn::Lanes(d); k < tile_step; k += hn::Lanes(d)) {
    hn::StoreU(hn::Set(d, static_cast<float>(pivot)), d, pivots + k);
  }
  const std::size_t whole = n / tile_step;
  moments_rows(x, pivots, sums, squares, whole, tile_step);
  for (std::size_t i = 0; i < n % tile_step; ++i) {
    const double value = static_cast<double>(x[whole * tile_step + i]) - pivot;
    sums[i] += value;
    squares[i] += value * value;
  }
}

template <class F>
void join_lanes(const float* x, std::size_t n, float* lanes) {
  const std::size_t whole = n / tile_step, rest = n % tile_step;
  join_rows<F>(x, lanes, whole, tile_step);
  if (rest == 0) return;
  float padded[tile_step];
  std::memcpy(padded, lanes, sizeof padded);  // joined to themselves, the others stay
  std::memcpy(padded, x + whole * tile_step, rest * sizeof(float));
  join_rows<F>(padded, lanes, 1, tile_step);
}

template <class F>
void fill_kinds(TileOps::Binary* row) {
  row[static_cast<int>(TileKind::full_full)] = full_full<F>;
  row[static_cast<int>(TileKind::full_row)] = full_row<F>;
  row[static_cast<int>(TileKind::row_full)] = row_full<F>;
  row[static_cast<int>(TileKind::full_scalar)] = full_scalar<F>;
  row[static_cast<int>(TileKind::scalar_full)] = scalar_full<F>;
}

void fill_table(TileOps& ops) {
  const auto one = [&](TileUnary op) -> TileOps::Unary& { return ops.unary[static_cast<int>(op)]; };
  one(TileUnary::negate) = unary<Negate>;
  one(TileUnary::relu) = unary<Relu>;
  one(TileUnary::abs) = unary<Abs>;
  one(TileUnary::exp) = unary_scalar<elementary::exp>;
  one(TileUnary::log) = unary_scalar<elementary::log>;
  one(TileUnary::sqrt) = unary<Sqrt>;
  one(TileUnary::tanh) = unary_scalar<elementary::tanh>;
  one(TileUnary::floor) = unary<Floor>;
  one(TileUnary::round_even) = unary<RoundEven>;
  one(TileUnary::is_finite) = unary<IsFinite>;
  one(TileUnary::round_bf16) = unary<RoundBf16>;
  one(TileUnary::to_float) = unary<ToFloat>;
  one(TileUnary::to_int) = unary<ToInt>;

  const auto two = [&](TileBinary op) { return ops.binary[static_cast<int>(op)]; };
  fill_kinds<Add>(two(TileBinary::add));
  fill_kinds<Subtract>(two(TileBinary::subtract));
  fill_kinds<Multiply>(two(TileBinary::multiply));
  fill_kinds<Divide>(two(TileBinary::divide));
  fill_kinds<Minimum>(two(TileBinary::minimum));
  fill_kinds<Maximum>(two(TileBinary::maximum));
  fill_kinds<Less>(two(TileBinary::less));
  fill_kinds<LessEqual>(two(TileBinary::less_equal));
  fill_kinds<Equal>(two(TileBinary::equal));

  ops.select[static_cast<int>(SelectKind::full_full)] = select<false, false>;
  ops.select[static_cast<int>(SelectKind::full_scalar)] = select<false, true>;
  ops.select[static_cast<int>(SelectKind::scalar_full)] = select<true, false>;
  ops.select[static_cast<int>(SelectKind::scalar_scalar)] = select<true, true>;

  ops.load[static_cast<int>(DType::f32)] = ops.load[static_cast<int>(DType::s32)] = load_words;
  ops.load[static_cast<int>(DType::bf16)] = load_bf16;
  ops.load[static_cast<int>(DType::s8)] = load_s8;
  ops.load[static_cast<int>(DType::u8)] = load_u8;
  ops.store[static_cast<int>(DType::f32)] = ops.store[static_cast<int>(DType::s32)] = store_words;
  ops.store[static_cast<int>(DType::bf16)] = store_bf16;
  ops.store[static_cast<int>(DType::s8)] = store_s8;
  ops.store[static_cast<int>(DType::u8)] = store_u8;
  ops.store_rounding = store_rounding;

  ops.sum_rows = sum_rows;
  ops.max_rows = join_rows<Maximum>;
  ops.min_rows = join_rows<Minimum>;
  ops.moments_rows = moments_rows;
  ops.sum_blocks = sum_blocks;
  ops.moments_blocks = moments_blocks;
  ops.sum_lanes = sum_lanes;
  ops.moments_lanes = moments_lanes;
  ops.max_lanes = join_lanes<Maximum>;
  ops.min_lanes = join_lanes<Minimum>;
  ops.name = hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace qfw::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(fill_table);

const TileOps& tile_ops() {
  static const TileOps ops = [] {
    TileOps table{};
    HWY_DYNAMIC_DISPATCH(fill_table)(table);
    return table;
  }();
  return ops;
}

}  // namespace qfw::cpu
#endif

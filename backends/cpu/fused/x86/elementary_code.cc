#include "elementary_code.h"

#include <bit>
#include <limits>

#include "qfw/elementary.h"

namespace qfw::cpu::x86 {
namespace {

using Vec = Vectors::Vec;
using namespace elementary::detail;

constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr std::uint32_t sign_of_float = 0x80000000;

/// c[0] + c[1] s + c[2] s^2 + ..., from the last; `to` is not s.
template <int count>
void emit_polynomial(Vectors& c, Vec to, const Series<count>& series, Vec s) {
  c.broadcast_double(to, series.c[count - 1]);
  for (int i = count - 2; i >= 0; --i) {
    c.vmulpd(to, to, s);
    c.vaddpd(to, to, c.literal_double(series.c[i]));
  }
}

/// v becomes e^v; it is so small that the result's exponent is that of a normal number.
void emit_exp_of_doubles(Vectors& c, Vec v) {
  const Temporary k(c), power(c), sum(c);
  c.vmulpd(*k, v, c.literal_double(one_over_ln2));
  c.vaddpd(*k, *k, c.literal_double(whole));
  c.vpsllq(*power, *k, 52);  // the last bits are those of a whole number: 2^k less its 1
  c.vpaddq(*power, *power, c.literal_double(1.0));
  c.vsubpd(*k, *k, c.literal_double(whole));
  c.vmulpd(*sum, *k, c.literal_double(ln2_high));
  c.vsubpd(v, v, *sum);
  c.vmulpd(*sum, *k, c.literal_double(ln2_low));
  c.vsubpd(v, v, *sum);
  emit_polynomial(c, *sum, exp_series(), v);
  c.vmulpd(*k, v, v);
  c.vmulpd(*k, *k, *sum);
  c.vaddpd(v, v, *k);
  c.vaddpd(v, v, c.literal_double(1.0));
  c.vmulpd(v, v, *power);
}

/// v becomes tanh(v), 0.25 <= v <= 22.
void emit_tanh_of_doubles(Vectors& c, Vec v) {
  const Temporary quotient(c);
  c.vaddpd(v, v, v);
  emit_exp_of_doubles(c, v);
  c.vaddpd(v, v, c.literal_double(1.0));
  c.broadcast_double(*quotient, 2.0);
  c.vdivpd(*quotient, *quotient, v);
  c.broadcast_double(v, 1.0);
  c.vsubpd(v, v, *quotient);
}

/// v becomes tanh(v), 0 <= v < 0.25.
void emit_small_tanh_of_doubles(Vectors& c, Vec v) {
  const Temporary square(c), sum(c);
  c.vmulpd(*square, v, v);
  emit_polynomial(c, *sum, tanh_series(), *square);
  c.vmulpd(*square, v, *square);
  c.vmulpd(*square, *square, *sum);
  c.vaddpd(v, v, *square);
}

/// m becomes ln(2^k m), sqrt(1/2) <= m < sqrt(2).
void emit_log_of_doubles(Vectors& c, Vec m, Vec k) {
  const Temporary square(c), sum(c);
  c.vaddpd(*sum, m, c.literal_double(1.0));
  c.vsubpd(m, m, c.literal_double(1.0));
  c.vdivpd(m, m, *sum);
  c.vmulpd(*square, m, m);
  emit_polynomial(c, *sum, log_series(), *square);
  c.vaddpd(m, m, m);
  c.vmulpd(*square, m, *square);
  c.vmulpd(*square, *square, *sum);
  c.vmulpd(*sum, k, c.literal_double(ln2_low));
  c.vaddpd(*square, *square, *sum);
  c.vaddpd(m, m, *square);
  c.vmulpd(*sum, k, c.literal_double(ln2_high));
  c.vaddpd(m, *sum, m);
}

/// Each half of x as doubles, `change` (a Vec), and back, rounded once.
template <class Change>
void in_doubles(Vectors& c, Vec to, Vec x, Change change) {
  const Temporary low(c), high(c);
  for (const int half : {0, 1}) {
    const Vec v = half == 0 ? *low : *high;
    c.half_as_doubles(v, x, half);
    change(v, half);
  }
  c.join_doubles(to, *low, *high);
}

/// The smaller (or greater) of x and a number; NaN stays.
void emit_limit(Vectors& c, Vec to, Vec x, float limit, bool greater) {
  const Temporary number(c);
  c.broadcast_literal(*number, std::bit_cast<std::uint32_t>(limit));
  greater ? c.vmaxps(to, *number, x) : c.vminps(to, *number, x);
}

}  // namespace

void emit_exp(Vectors& c, Vec to, Vec x) {
  constexpr float enough = 200;  // beyond, the nearest float is infinite, or 0
  emit_limit(c, to, x, enough, false);
  emit_limit(c, to, to, -enough, true);
  in_doubles(c, to, to, [&](Vec v, int) { emit_exp_of_doubles(c, v); });
}

void emit_log(Vectors& c, Vec to, Vec x) {
  constexpr std::uint32_t root_of_half = 0x3f3504f4;  // the first float that is not below it
  {
    const Temporary exponent(c), mantissa(c);
    c.vpsubd(*exponent, x, c.literal(root_of_half));
    c.vpsrad(*exponent, *exponent, 23);
    c.vpslld(*mantissa, *exponent, 23);
    c.vpsubd(*mantissa, x, *mantissa);
    c.vcvtdq2ps(*exponent, *exponent);
    in_doubles(c, to, *mantissa, [&](Vec m, int half) {
      const Temporary k(c);
      c.half_as_doubles(*k, *exponent, half);
      emit_log_of_doubles(c, m, *k);
    });
  }
  const Temporary special(c);
  const auto where = [&](float y, Vectors::Predicate predicate, float becomes) {
    const TemporaryMask mask(c);
    c.compare(*mask, x, c.literal(y), predicate);
    c.broadcast_literal(*special, std::bit_cast<std::uint32_t>(becomes));
    c.blend(to, *mask, *special, to);
  };
  where(0.0F, Vectors::not_greater, std::numeric_limits<float>::quiet_NaN());
  where(0.0F, Vectors::equal, -infinite);
  where(infinite, Vectors::equal, infinite);
}

void emit_tanh(Vectors& c, Vec to, Vec x) {
  constexpr float one_from = 22, series_below = 0.25;
  const Temporary size(c), other(c);
  c.vandps(*size, x, c.literal(~sign_of_float));
  emit_limit(c, *size, *size, one_from, false);
  in_doubles(c, to, *size, [&](Vec v, int) { emit_tanh_of_doubles(c, v); });
  in_doubles(c, *other, *size, [&](Vec v, int) { emit_small_tanh_of_doubles(c, v); });
  const TemporaryMask small(c);
  c.compare(*small, *size, c.literal(series_below), Vectors::less);
  c.blend(to, *small, *other, to);
  c.vandps(*other, x, c.literal(sign_of_float));
  c.vorps(to, to, *other);
}

}  // namespace qfw::cpu::x86

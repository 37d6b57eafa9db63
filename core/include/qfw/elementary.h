#pragma once

/// exp, log and tanh as every backend computes them: the same bits on every machine, whatever its mathematical library. Plain
/// double arithmetic and bit patterns, in the language that C++20 and NVRTC share; nothing is included. It must be compiled
/// without contraction into FMA and round to nearest, as everything here is.
///
/// Of doubles the relative error is below 2^-51 (of log away from 1). Of floats, which are computed in double and rounded once,
/// the result is that of glibc's double function, rounded, for each of the 2^32 floats (tests/unit/elementary). Where
/// subnormals are flushed (qfw/denormals.h), a subnormal argument counts as zero.
///
/// Sources: reduction by a power of two with ln 2 in two parts (Cody and Waite, Software Manual for the Elementary Functions,
/// 1980, chapters 5 and 6; Tang, ACM TOMS 15, 1989); the series are those of exp, of 2 artanh and of tanh, as long as 2^-53
/// needs on their intervals.
namespace qfw::elementary {
namespace detail {

using Bits = unsigned long long;

inline constexpr Bits sign_bit = 0x8000000000000000ull;
inline constexpr double infinity = __builtin_bit_cast(double, 0x7ff0000000000000ull);
inline constexpr double not_a_number = __builtin_bit_cast(double, 0x7ff8000000000000ull);
inline constexpr double ln2_high = 0x1.62e42fefa38p-1;   // 42 bits: its products with exponents are exact
inline constexpr double ln2_low = 0x1.ef35793c7673p-45;  // ln 2 - ln2_high
inline constexpr double one_over_ln2 = 0x1.71547652b82fep0;
inline constexpr double whole = 0x1.8p52;  // added and subtracted, it rounds to a whole number

constexpr double power_of_two(long long exponent) {
  return __builtin_bit_cast(double, static_cast<Bits>(exponent + 1023) << 52);
}

/// c[0] + c[1] s + c[2] s^2 + ...
template <int count>
struct Series {
  double c[count];
  /// From the last (Horner).
  constexpr double operator()(double s) const {
    double sum = c[count - 1];
    for (int i = count - 2; i >= 0; --i) sum = sum * s + c[i];
    return sum;
  }
};

/// (e^r - 1 - r) / r^2
constexpr Series<12> exp_series() {
  return {{0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40320.0, 1.0 / 362880.0, 1.0 / 3628800.0,
           1.0 / 39916800.0, 1.0 / 479001600.0, 1.0 / 6227020800.0}};
}

/// (artanh(f) - f) / f^3 in s = f^2
constexpr Series<11> log_series() {
  return {{1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0, 1.0 / 21.0,
           1.0 / 23.0}};
}

/// (tanh(x) - x) / x^3 in s = x^2
constexpr Series<9> tanh_series() {
  return {{-1.0 / 3.0, 2.0 / 15.0, -17.0 / 315.0, 62.0 / 2835.0, -1382.0 / 155925.0, 21844.0 / 6081075.0,
           -929569.0 / 638512875.0, 6404582.0 / 10854718875.0, -443861162.0 / 1856156927625.0}};
}

}  // namespace detail

/// e^x = 2^k e^r, k = round(x / ln 2), |r| <= ln 2 / 2.
constexpr double exp(double x) {
  using namespace detail;
  if (!(x > -746.0)) return x != x ? x : 0.0;
  if (x > 710.0) return infinity;
  const double k = (x * one_over_ln2 + whole) - whole;
  const double r = (x - k * ln2_high) - k * ln2_low;
  const double e = 1.0 + (r + r * r * exp_series()(r));
  const auto exponent = static_cast<long long>(k);
  const long long half = exponent / 2;  // in two steps: 2^k alone may lie beyond the doubles
  return e * power_of_two(half) * power_of_two(exponent - half);
}

/// ln(2^e m) = e ln 2 + 2 artanh(f), sqrt(1/2) <= m < sqrt(2), f = (m - 1) / (m + 1). -infinity at 0, NaN below.
constexpr double log(double x) {
  using namespace detail;
  if (!(x > 0.0)) return x == 0.0 ? -infinity : not_a_number;
  if (x == infinity) return x;
  int e = -1023;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    e -= 54;
  }
  Bits bits = __builtin_bit_cast(Bits, x);
  e += static_cast<int>(bits >> 52);
  bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
  if (bits >= 0x3ff6a09e667f3bcdull) {
    bits -= 0x0010000000000000ull;
    ++e;
  }
  const double m = __builtin_bit_cast(double, bits), f = (m - 1.0) / (m + 1.0), s = f * f;
  const double two_f = f + f, k = static_cast<double>(e);
  return k * ln2_high + (two_f + (two_f * s * log_series()(s) + k * ln2_low));
}

/// 1 - 2 / (e^2|x| + 1) with the sign of x; near 0, where that cancels, its series.
constexpr double tanh(double x) {
  using namespace detail;
  const double a = x < 0.0 ? -x : x;
  if (!(a < 22.0)) return x != x ? x : x < 0.0 ? -1.0 : 1.0;
  // A zero of x's sign, made of bits: where subnormals are flushed x may be one, which must not come out again.
  if (!(a > 0.0)) return __builtin_bit_cast(double, __builtin_bit_cast(Bits, x) & sign_bit);
  if (a < 0.25) {
    const double s = x * x;
    return x + x * s * tanh_series()(s);
  }
  const double t = 1.0 - 2.0 / (exp(a + a) + 1.0);
  return x < 0.0 ? -t : t;
}

constexpr float exp(float x) { return static_cast<float>(exp(static_cast<double>(x))); }
constexpr float log(float x) { return static_cast<float>(log(static_cast<double>(x))); }
constexpr float tanh(float x) { return static_cast<float>(tanh(static_cast<double>(x))); }

}  // namespace qfw::elementary

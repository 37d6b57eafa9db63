#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace device_check {

/// A function of one float, as device code and as the host computes it.
struct FloatFunction {
  const char* name;
  const char* code;  ///< statements that make `y` of `x`
  float (*host)(float x);
};
std::span<const FloatFunction> float_functions();

/// Floats whose bits begin alike are hashed together.
inline constexpr int hash_ranges = 64;
inline constexpr std::uint32_t range_floats = 0x4000000;  // 2^32 / hash_ranges

/// Sums over every `every`th float of a range: the order is of no consequence.
constexpr std::uint64_t hash_of_result(std::uint32_t argument, std::uint32_t result) {
  return (result + 0x9e3779b97f4a7c15u) * (2 * std::uint64_t{argument} + 1);
}
/// Every NaN is one.
std::uint32_t result_bits(float value);

/// On this host: by range, then function.
using Hashes = std::array<std::array<std::uint64_t, 11>, hash_ranges>;
Hashes hashes_on_host(std::uint32_t every);
/// The same of all floats, computed once (hashes.inc).
const Hashes& known_hashes();

}  // namespace device_check

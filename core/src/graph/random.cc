#include "qfw/random.h"

#include <cmath>
#include <numbers>

namespace qfw {

namespace {

/// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): every bit of the result depends on every bit of x.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

std::array<std::uint32_t, 2> halves(std::uint64_t word) {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
}

// Philox has room for 192 bits of key and counter; what does not fit is hashed into the key. The tags keep uses apart.
constexpr std::uint64_t tag_of_streams = 1, tag_of_elements = 2;

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xd2511f53} * counter[0], b = std::uint64_t{0xcd9e8d57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9e3779b9;
    key[1] += 0xbb67ae85;
  }
  return counter;
}

std::uint32_t RandomStream::bits() {
  if (used_ == 4) {
    const auto [b_low, b_high] = halves(b_);
    words_ = philox({block_++, 0, b_low, b_high}, halves(mix(seed_ ^ mix(a_ ^ mix(tag_of_streams)))));
    used_ = 0;
  }
  return words_[used_++];
}

double RandomStream::uniform() { return bits() * 0x1p-32; }

std::uint64_t RandomStream::below(std::uint64_t limit) {
  const std::uint64_t uneven = -limit % limit;  // so many of the 2^64 words would favour small results
  std::uint64_t word;
  do {
    const std::uint64_t high = bits();
    word = high << 32 | bits();
  } while (word < uneven);
  return word % limit;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

float random_uniform_element(std::uint64_t seed, std::int64_t step, std::uint64_t stream, std::int64_t index) {
  const auto block = static_cast<std::uint64_t>(index) / 4;
  const auto [index_low, index_high] = halves(block);
  const auto [step_low, step_high] = halves(static_cast<std::uint64_t>(step));
  const auto key = halves(mix(seed ^ mix(stream ^ mix(tag_of_elements))));
  const auto words = philox({index_low, index_high, step_low, step_high}, key);
  return static_cast<float>(words[index % 4] >> 8) * 0x1p-24f;
}

}  // namespace qfw

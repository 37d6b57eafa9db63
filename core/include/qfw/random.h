#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// Philox4x32-10 (Salmon et al., SC 2011): four random words from a counter and a key. Every random number of a run is a pure
/// function of what it is for, so nothing depends on threads, timing or call order.
QFW_API std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// 64-bit FNV-1a, to make stream numbers of names.
constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Numbers one after another from the stream (seed, a, b): for augmentation, a = epoch and b = index.
class QFW_API RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0) : seed_(seed), a_(a), b_(b) {}

  std::uint32_t bits();
  double uniform();                            ///< in [0, 1), 32 bits of it
  std::uint64_t below(std::uint64_t limit);    ///< in [0, limit), unbiased; limit > 0
  double normal();                             ///< mean 0, variance 1 (Box-Muller)

 private:
  std::uint64_t seed_, a_, b_;
  std::uint32_t block_ = 0;
  int used_ = 4;
  std::array<std::uint32_t, 4> words_{};
};

/// Element `index` of Op::random_uniform's stream at a step: uniform in [0, 1), 24 bits.
QFW_API float random_uniform_element(std::uint64_t seed, std::int64_t step, std::uint64_t stream, std::int64_t index);

}  // namespace qfw

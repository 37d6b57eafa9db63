#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chain.h"

namespace qfw::codes {

/// The integers that stand for a grid's levels: low, low + step, ..., high. Where levels lie halfway between whole numbers,
/// integers are twice the levels.
struct Levels {
  int low = 0, high = 0, step = 1;

  explicit Levels(const Grid& grid);
  int count() const { return (high - low) / step + 1; }
  int at(int index) const { return low + index * step; }
};

/// Of each output channel: the sums that a product can have, whatever its input.
struct SumRange {
  std::vector<std::int32_t> least, greatest;

  /// `weights`, s8, its last axis that of the output channels. `padded`: some products may be missing from a sum.
  SumRange(const HostView& weights, const Levels& input, bool padded);
  int bits() const;  ///< of the smallest two's complement accumulator that holds them all
};

/// How integer activations follow from s32 sums without a float: with s = direction[c] * sum,
///
///   code = levels.at(number of k with s >= at[c][k])      c: channel, k = 0 ... levels.count() - 2, at[c][k] <= at[c][k + 1]
struct Thresholds {
  std::vector<std::int8_t> direction;  ///< 1; -1 where codes fall as sums rise
  std::vector<std::int32_t> at;        ///< [channels][levels.count() - 1]; -2^31: always reached, 2^31 - 1: never
  bool every_sum = false;              ///< compared with the float chain for each possible sum; else see find_thresholds()
  std::int64_t compared = 0;           ///< sums, of all channels
};

struct Found {
  Thresholds thresholds;
  std::string obstacle;  ///< why there are none
};

inline constexpr std::int64_t usual_most = std::int64_t{1} << 25, unlimited = std::int64_t{1} << 62;

/// `chain` has no obstacle, and starts at a product. Where each op of the chain is monotone, thresholds are searched and then
/// compared with the chain: for every possible sum if those of all channels are no more than `most`, else at each threshold and
/// the eight sums to either side of it. Any other chain is followed for every sum, as long as they are no more than twice
/// `most`.
Found find_thresholds(const Chain& chain, const SumRange& range, const Levels& levels, std::int64_t most = usual_most);

}  // namespace qfw::codes

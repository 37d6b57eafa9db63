#include "thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <tuple>

#include "qfw/error.h"
#include "qfw/interrupt.h"

namespace qfw::codes {

namespace {

constexpr std::int32_t always = std::numeric_limits<std::int32_t>::min(), never = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t neighbours = 8;
constexpr std::int64_t elements_at_once = 1 << 16;

/// Thrown within this file: why there are no thresholds.
struct Obstacle {
  std::string why;
};

class Finder {
 public:
  Finder(const Chain& chain, const SumRange& range, const Levels& levels, std::int64_t most)
      : chain_(chain), range_(range), levels_(levels), channels_(static_cast<std::size_t>(chain.channels())), most_(most) {
    result_.direction.assign(channels_, 1);
    result_.at.assign(channels_ * steps(), always);
    for (std::size_t c = 0; c < channels_; ++c) {
      if (range_.greatest[c] == never || range_.least[c] <= -never) throw Obstacle{"its sums reach 2^31 - 1"};
      const std::int64_t sums = std::int64_t{range_.greatest[c]} - range_.least[c] + 1;
      rows_ = std::max(rows_, sums);
      all_sums_ += sums;
    }
  }

  Thresholds run() {
    const bool affordable = rows_ <= most_ / chain_.channels();
    if (chain_.is_monotone() && finite_at_the_ends()) {
      search();
    } else if (rows_ / 2 <= most_ / chain_.channels()) {
      follow();
    } else {
      throw Obstacle{fmt::format("only trying all of {} sums could tell whether its float chain is monotone", all_sums_)};
    }
    if (affordable || !chain_.is_monotone()) {
      compare_all();
    } else {
      compare_around();
    }
    return std::move(result_);
  }

 private:
  std::size_t steps() const { return static_cast<std::size_t>(levels_.count() - 1); }
  std::int32_t& at(std::size_t channel, std::size_t step) { return result_.at[channel * steps() + step]; }

  /// The levels, by number, of [row][channel] sums.
  std::vector<int> indices(const std::vector<std::int32_t>& sums, bool* finite = nullptr) const {
    stop_if_interrupted("codes");
    const auto rows = static_cast<std::int64_t>(sums.size() / channels_);
    std::vector<int> indices;
    try {
      indices = chain_.codes_of({{{rows, chain_.channels()}, DType::s32}, std::as_bytes(std::span(sums))}, finite);
    } catch (const Error& error) {
      throw Obstacle{fmt::format("for some sum its float chain makes no code: {}", error.what())};
    }
    for (int& index : indices) {
      const int from_low = index - levels_.low;
      if (from_low < 0 || index > levels_.high || from_low % levels_.step != 0)
        throw Obstacle{fmt::format("its float chain makes the code {}, off its grid", index)};
      index = from_low / levels_.step;
    }
    return indices;
  }

  std::vector<int> indices_at_the_ends(bool* finite = nullptr) const {
    std::vector<std::int32_t> ends(range_.least);
    ends.insert(ends.end(), range_.greatest.begin(), range_.greatest.end());
    return indices(ends, finite);
  }

  bool finite_at_the_ends() const {
    bool finite = false;
    indices_at_the_ends(&finite);
    return finite;
  }

  /// s = direction * sum, for the least and the greatest sum of a channel: the smaller first.
  std::pair<std::int64_t, std::int64_t> ends(std::size_t channel) const {
    const std::int64_t least = range_.least[channel], greatest = range_.greatest[channel];
    return result_.direction[channel] > 0 ? std::pair(least, greatest) : std::pair(-greatest, -least);
  }

  /// Halves the interval of each threshold until one sum is left.
  void search() {
    const std::vector<int> at_ends = indices_at_the_ends();
    std::vector<std::int64_t> low(channels_ * steps()), high(low);  // of s: below low not reached, at high reached
    std::vector<bool> open(low.size());
    bool any = false;
    for (std::size_t c = 0; c < channels_; ++c) {
      int first = at_ends[c], last = at_ends[channels_ + c];
      if (first > last) {
        result_.direction[c] = -1;
        std::swap(first, last);
      }
      for (std::size_t k = 0; k < steps(); ++k) {
        const int needed = static_cast<int>(k) + 1;
        at(c, k) = first >= needed ? always : never;
        if (first >= needed || last < needed) continue;
        std::tie(low[c * steps() + k], high[c * steps() + k]) = ends(c);
        open[c * steps() + k] = any = true;
      }
    }
    while (any) any = halve(low, high, open);
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i]) result_.at[i] = static_cast<std::int32_t>(high[i]);
    }
  }

  /// low: not reached there; high: reached. Until they are neighbours.
  bool halve(std::vector<std::int64_t>& low, std::vector<std::int64_t>& high, const std::vector<bool>& open) {
    std::vector<std::int32_t> sums(steps() * channels_);  // [step][channel]
    for (std::size_t k = 0; k < steps(); ++k) {
      for (std::size_t c = 0; c < channels_; ++c) {
        const std::size_t i = c * steps() + k;
        const std::int64_t middle = low[i] + (high[i] - low[i]) / 2;
        sums[k * channels_ + c] = open[i] ? static_cast<std::int32_t>(result_.direction[c] * middle) : range_.least[c];
      }
    }
    const std::vector<int> found = indices(sums);
    bool more = false;
    for (std::size_t k = 0; k < steps(); ++k) {
      for (std::size_t c = 0; c < channels_; ++c) {
        const std::size_t i = c * steps() + k;
        if (!open[i]) continue;
        const std::int64_t middle = low[i] + (high[i] - low[i]) / 2;
        (found[k * channels_ + c] > static_cast<int>(k) ? high[i] : low[i]) = middle;
        more = more || high[i] - low[i] > 1;
      }
    }
    return more;
  }

  /// Calls `see(row, indices of all channels)` for row = 0, 1, ...: the sums least + row, the last one again where a channel
  /// has no more.
  template <class See>
  void for_each_sum(See see) const {
    const std::int64_t at_once = std::max<std::int64_t>(1, elements_at_once / chain_.channels());
    std::vector<std::int32_t> sums;
    for (std::int64_t begin = 0; begin < rows_; begin += at_once) {
      const std::int64_t end = std::min(rows_, begin + at_once);
      sums.clear();
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::size_t c = 0; c < channels_; ++c) sums.push_back(sum_at(c, row));
      }
      const std::vector<int> found = indices(sums);
      for (std::int64_t row = begin; row < end; ++row)
        see(row, std::span(found).subspan(static_cast<std::size_t>(row - begin) * channels_, channels_));
    }
  }
  std::int32_t sum_at(std::size_t channel, std::int64_t row) const {
    return static_cast<std::int32_t>(std::min<std::int64_t>(range_.least[channel] + row, range_.greatest[channel]));
  }

  /// Sum by sum.
  void follow() {
    std::vector<int> before;
    std::vector<bool> turned(channels_);  // whether its direction is known
    for_each_sum([&](std::int64_t row, std::span<const int> indices) {
      if (row == 0) {
        before.assign(indices.begin(), indices.end());
        for (std::size_t c = 0; c < channels_; ++c) {
          for (std::size_t k = 0; k < steps(); ++k) at(c, k) = before[c] > static_cast<int>(k) ? always : never;
        }
      }
      for (std::size_t c = 0; c < channels_; ++c) {
        const int from = before[c], to = indices[c];
        if (from == to) continue;
        const std::int8_t direction = to > from ? 1 : -1;
        if (turned[c] && direction != result_.direction[c]) {
          throw Obstacle{fmt::format("its float chain is not monotone: in channel {} codes go from {} to {} at the sum {}", c,
                                     levels_.at(from), levels_.at(to), sum_at(c, row))};
        }
        turned[c] = true;
        result_.direction[c] = direction;
        // Rising: reached from this sum on. Falling: from the one before on, seen from above.
        for (int k = std::min(from, to); k < std::max(from, to); ++k)
          at(c, static_cast<std::size_t>(k)) = direction > 0 ? sum_at(c, row) : -sum_at(c, row - 1);
        before[c] = to;
      }
    });
  }

  int index_by_thresholds(std::size_t channel, std::int32_t sum) const {
    const std::int32_t s = result_.direction[channel] * sum;
    const auto first = result_.at.begin() + static_cast<std::ptrdiff_t>(channel * steps());
    return static_cast<int>(std::upper_bound(first, first + static_cast<std::ptrdiff_t>(steps()), s) - first);
  }

  void compare(std::size_t channel, std::int32_t sum, int index) const {
    if (index_by_thresholds(channel, sum) == index) return;
    throw Obstacle{fmt::format("its float chain is not monotone: in channel {}, at the sum {}, codes turn to {}", channel, sum,
                               levels_.at(index))};
  }

  void compare_all() {
    for_each_sum([&](std::int64_t row, std::span<const int> indices) {
      for (std::size_t c = 0; c < channels_; ++c) compare(c, sum_at(c, row), indices[c]);
    });
    result_.every_sum = true;
    result_.compared = all_sums_;
  }

  void compare_around() {
    std::vector<std::int32_t> sums;
    for (std::size_t k = 0; k < steps(); ++k) {
      sums.clear();
      for (std::int64_t away = -neighbours; away <= neighbours; ++away) {
        for (std::size_t c = 0; c < channels_; ++c) {
          const auto [low, high] = ends(c);
          sums.push_back(static_cast<std::int32_t>(result_.direction[c] * std::clamp(at(c, k) + away, low, high)));
        }
      }
      const std::vector<int> found = indices(sums);
      for (std::size_t i = 0; i < sums.size(); ++i) compare(i % channels_, sums[i], found[i]);
      result_.compared += static_cast<std::int64_t>(sums.size());
    }
  }

  const Chain& chain_;
  const SumRange& range_;
  const Levels& levels_;
  std::size_t channels_;
  std::int64_t most_, rows_ = 0, all_sums_ = 0;
  Thresholds result_;
};

}  // namespace

Levels::Levels(const Grid& grid) : step(grid.halves() ? 2 : 1) {
  low = static_cast<int>(grid.low * static_cast<float>(step));
  high = static_cast<int>(grid.high * static_cast<float>(step));
}

SumRange::SumRange(const HostView& weights, const Levels& input, bool padded) {
  const auto codes = weights.as<std::int8_t>();
  const auto channels = static_cast<std::size_t>(weights.type.shape.channels());
  std::vector<std::int64_t> low(channels), high(channels);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::int64_t a = std::int64_t{codes[i]} * input.low, b = std::int64_t{codes[i]} * input.high;
    low[i % channels] += padded ? std::min({a, b, std::int64_t{0}}) : std::min(a, b);
    high[i % channels] += padded ? std::max({a, b, std::int64_t{0}}) : std::max(a, b);
  }
  for (std::size_t c = 0; c < channels; ++c) {
    if (low[c] < always || high[c] > never) fail(Error::Category::internal, "codes", "sums of more than 32 bits");
    least.push_back(static_cast<std::int32_t>(low[c]));
    greatest.push_back(static_cast<std::int32_t>(high[c]));
  }
}

int SumRange::bits() const {
  int bits = 1;
  const auto take = [&](std::int32_t sum) {
    bits = std::max(bits, 1 + static_cast<int>(std::bit_width(static_cast<std::uint32_t>(sum < 0 ? ~sum : sum))));
  };
  std::ranges::for_each(least, take);
  std::ranges::for_each(greatest, take);
  return bits;
}

Found find_thresholds(const Chain& chain, const SumRange& range, const Levels& levels, std::int64_t most) {
  Found found;
  try {
    found.thresholds = Finder(chain, range, levels, most).run();
  } catch (const Obstacle& obstacle) {
    found.obstacle = obstacle.why;
  }
  return found;
}

}  // namespace qfw::codes

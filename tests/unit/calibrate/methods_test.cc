#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "qfw/calibrator.h"
#include "qfw/random.h"
#include "support/evaluate.h"

namespace qfw::testing {
namespace {

using Histogram = Calibrator::Histogram;
using Levels = Calibrator::Levels;

constexpr std::size_t bins = 2048;

Histogram histogram_of(const std::vector<double>& values) {
  Histogram histogram;
  for (const double value : values) histogram.largest = std::max(histogram.largest, static_cast<float>(std::abs(value)));
  histogram.width = double{histogram.largest} / bins;
  histogram.counts.assign(bins, 0);
  for (const double value : values) {
    if (value == 0) {
      ++histogram.zeros;
    } else {
      ++histogram.counts[std::min(static_cast<std::size_t>(std::abs(value) / histogram.width), bins - 1)];
    }
  }
  return histogram;
}

/// Many small values and few large ones, up to about 80; `sides` with signs, and else with as many zeros.
std::vector<double> long_tail(int count, bool sides) {
  RandomStream random(1, 2, 3);
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    const double spread = -std::log((static_cast<double>(random.below(1u << 20)) + 1) / (1u << 20));
    const double magnitude = spread * std::sqrt(spread) + 0.01;
    values.push_back(sides && random.below(2) == 1 ? -magnitude : magnitude);
    if (!sides) values.push_back(0);
  }
  return values;
}

std::vector<double> even(int count, bool sides) {
  std::vector<double> values;
  for (int i = 1; i <= count; ++i) values.push_back((sides && i % 2 == 0 ? -1.0 : 1.0) * i / count);
  return values;
}

struct Case {
  const char* name;
  Levels levels;
};
const Case cases[] = {
    {"4 bits without sign, floored", {.grid = {0, 15}, .scale = 16, .rounding = 0}},
    {"8 bits without sign, floored", {.grid = {0, 255}, .scale = 256, .rounding = 0}},
    {"1 bit without sign, floored", {.grid = {0, 1}, .scale = 2, .rounding = 0}},
    {"4 bits, nearest", {.grid = {-7, 7}, .scale = 7, .rounding = 0.5}},
    {"8 bits, nearest", {.grid = {-127, 127}, .scale = 127, .rounding = 0.5}},
    {"4 bits, half shift", {.grid = {-7.5, 7.5}, .scale = 8, .rounding = 0.5}},
    {"4 bits with sign, floored", {.grid = {-8, 7}, .scale = 8, .rounding = 0}},
};

double quantized(double value, const Levels& levels, double bound) {
  const double low = levels.grid.low, high = levels.grid.high;
  const double place = value * levels.scale / bound;
  return std::clamp(low + std::floor(place - low + levels.rounding), low, high) * bound / levels.scale;
}

double error_of(const std::vector<double>& values, const Levels& levels, double bound) {
  double sum = 0;
  for (const double value : values) {
    if (value != 0) sum += (quantized(value, levels, bound) - value) * (quantized(value, levels, bound) - value);
  }
  return sum;
}

TEST(Calibrators, MaxIsTheLargest) {
  const auto max = make<Calibrator>("max");
  EXPECT_EQ(max->bound(histogram_of({0.5, -3.25, 0, 1}), cases[0].levels), 3.25);
}

TEST(Calibrators, PercentileCountsWhatIsNotZero) {
  const std::vector<double> values = long_tail(20000, false);
  const Histogram histogram = histogram_of(values);
  std::vector<double> sorted;
  for (const double value : values) {
    if (value != 0) sorted.push_back(value);
  }
  std::ranges::sort(sorted);
  for (const double percent : {50.0, 90.0, 99.0, 99.9, 100.0}) {
    SCOPED_TRACE(percent);
    const auto made = make<Calibrator>("percentile", {{"percent", percent}});
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size()))) - 1;
    EXPECT_NEAR(made->bound(histogram, cases[0].levels), sorted[rank], 2 * histogram.width);
  }
  EXPECT_EQ(make<Calibrator>("percentile")->bound(histogram, cases[0].levels),
            make<Calibrator>("percentile", {{"percent", 99.9}})->bound(histogram, cases[0].levels));
  EXPECT_EQ(make<Calibrator>("percentile", {{"percent", 100.0}})->bound(histogram, cases[0].levels), histogram.largest);
}

TEST(Calibrators, MseFindsTheLeastErrorThatThereIs) {
  const auto mse = make<Calibrator>("mse");
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const bool sides = each.levels.grid.low < 0;
    for (const auto& values : {long_tail(1500, sides), even(1500, sides)}) {
      const Histogram histogram = histogram_of(values);
      double least = std::numeric_limits<double>::infinity();
      for (int i = 1; i <= 512; ++i) {
        least = std::min(least, error_of(values, each.levels, double{histogram.largest} * i / 512));
      }
      const double bound = mse->bound(histogram, each.levels);
      EXPECT_GT(bound, 0);
      EXPECT_LE(bound, histogram.largest);
      EXPECT_LE(error_of(values, each.levels, bound), 1.03 * least) << "bound " << bound;
    }
  }
}

TEST(Calibrators, MseClipsTheTailOfFewBits) {
  const auto mse = make<Calibrator>("mse");
  const Histogram histogram = histogram_of(long_tail(20000, false));
  const double few = mse->bound(histogram, cases[0].levels), many = mse->bound(histogram, cases[1].levels);
  EXPECT_LT(few, 0.7 * many);
}

/// As the method is usually written down: P, and Q spread over the filled bins of each part.
double relative_entropy(const Histogram& histogram, std::size_t kept, std::size_t levels) {
  std::vector<double> p(histogram.counts.begin(), histogram.counts.begin() + static_cast<std::ptrdiff_t>(kept)), q(kept, 0);
  const std::vector<double> inside = p;
  for (std::size_t i = kept; i < bins; ++i) p.back() += static_cast<double>(histogram.counts[i]);
  std::vector<std::size_t> part_of(kept);
  std::size_t next = 0;
  for (std::size_t part = 0; part < levels; ++part) {
    for (std::size_t i = 0; i < kept / levels + (part < kept % levels ? 1 : 0); ++i) part_of[next++] = part;
  }
  for (std::size_t i = 0; i < kept; ++i) {
    if (inside[i] == 0) continue;
    double sum = 0;
    int filled = 0;
    for (std::size_t other = 0; other < kept; ++other) {
      if (part_of[other] != part_of[i] || inside[other] == 0) continue;
      sum += inside[other];
      ++filled;
    }
    q[i] = sum / filled;
  }
  const double all_p = std::accumulate(p.begin(), p.end(), 0.0), all_q = std::accumulate(q.begin(), q.end(), 0.0);
  double entropy = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    if (p[i] == 0) continue;
    entropy += q[i] == 0 ? p[i] / all_p * 10 : p[i] / all_p * std::log(p[i] / all_p / (q[i] / all_q));
  }
  return entropy;
}

TEST(Calibrators, KlFindsTheLeastRelativeEntropy) {
  const auto kl = make<Calibrator>("kl");
  const std::vector<std::pair<Levels, std::size_t>> wanted = {
      {cases[0].levels, 16}, {cases[3].levels, 8}, {cases[4].levels, 128}, {cases[5].levels, 8}};
  for (const auto& [levels, count] : wanted) {
    SCOPED_TRACE(count);
    const Histogram histogram = histogram_of(long_tail(3000, levels.grid.low < 0));
    double least = std::numeric_limits<double>::infinity();
    double best = 0;
    for (std::size_t kept = bins; kept >= std::max<std::size_t>(64, count); kept -= 16) {
      const double entropy = relative_entropy(histogram, kept, count);
      if (entropy < least * (1 - 1e-12)) {
        least = entropy;
        best = static_cast<double>(kept) * histogram.width;
      }
    }
    EXPECT_NEAR(kl->bound(histogram, levels), best, 1e-6 * best);
    EXPECT_LT(best, 0.9 * histogram.largest);
  }
}

TEST(Calibrators, OneValueIsTheBound) {
  for (const char* name : {"max", "percentile", "mse", "kl"}) {
    SCOPED_TRACE(name);
    for (const Case& each : cases) {
      const double bound = make<Calibrator>(name)->bound(histogram_of({0, 2, 2, 2}), each.levels);
      EXPECT_GT(bound, 0);
      EXPECT_LE(bound, 2);
    }
  }
}

}  // namespace
}  // namespace qfw::testing

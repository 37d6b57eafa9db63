#include "qfw/elementary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "qfw/denormals.h"

namespace qfw {
namespace {

struct Function {
  const char* name;
  float (*own)(float);
  double (*library)(double);
  std::uint64_t hash;  ///< of all results, below
};

void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

/// Every NaN is one, whatever its sign and payload.
std::uint32_t bits_of(float value) { return std::isnan(value) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value); }

struct Comparison {
  std::uint64_t differ = 0, hash = 0;
  std::uint32_t first = 0;  ///< of the arguments where the two differ
};

/// Against the mathematical library's double function, rounded: every `step`th float of [begin, end).
Comparison compare(const Function& function, std::uint64_t begin, std::uint64_t end, std::uint64_t step) {
  Comparison all;
  for (std::uint64_t bits = begin; bits < end; bits += step) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const std::uint32_t own = bits_of(function.own(x)), library = bits_of(static_cast<float>(function.library(x)));
    all.hash += (own + 0x9e3779b97f4a7c15u) * (2 * bits + 1);
    if (own == library) continue;
    if (all.differ == 0) all.first = static_cast<std::uint32_t>(bits);
    ++all.differ;
  }
  return all;
}

class Elementary : public testing::TestWithParam<Function> {};

/// Every 997th float; with QFW_FLOAT_STEP=1 every one (`make test-long`), whose hash says the same without a library.
TEST_P(Elementary, IsTheRoundedDoubleFunction) {
  const Function& function = GetParam();
  const char* asked = std::getenv("QFW_FLOAT_STEP");
  const std::uint64_t step = asked == nullptr ? 997 : std::stoull(asked),
                      parts = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Comparison> found(parts);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < parts; ++i) {
    threads.emplace_back([&, i] { found[i] = compare(function, (i << 32) / parts, ((i + 1) << 32) / parts, step); });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t hash = 0;
  for (const Comparison& part : found) {
    hash += part.hash;
    EXPECT_EQ(part.differ, 0u) << function.name << " of the float 0x" << std::hex << part.first;
  }
  if (step == 1) {
    EXPECT_EQ(hash, function.hash) << "0x" << std::hex << hash;
  }
}

TEST_P(Elementary, OfSpecialNumbers) {
  const Function& function = GetParam();
  using Limits = std::numeric_limits<float>;
  std::vector<float> specials{0.0f, Limits::min(), Limits::denorm_min(), Limits::max(), Limits::infinity(), Limits::quiet_NaN(),
                              1.0f, 0.25f, 10.0f, 22.0f, 88.7228394f, 88.72284f, 87.3365479f, 103.972084f, 104.0f, 746.0f,
                              0x1.6a09e6p-1f,
                              // log's results nearest to the middle between two floats
                              0x1.827a74p-7f, 0x1.2f1fd6p+3f, 0x1.bacb4ap+25f, 0x1.b121a6p+76f, 0x1.6351d8p+95f};
  for (const std::size_t i : {0, 1, 2, 6, 7, 8, 10}) {
    specials.push_back(std::nextafter(specials[i], 0.0f));
    specials.push_back(std::nextafter(specials[i], Limits::infinity()));
  }
  for (const float size : specials) {
    for (const float x : {size, -size}) {
      EXPECT_EQ(bits_of(function.own(x)), bits_of(static_cast<float>(function.library(x)))) << function.name << " of " << x;
      const FlushDenormals flush;
      const volatile float argument = x;
      EXPECT_EQ(bits_of(function.own(argument)), bits_of(static_cast<float>(function.library(argument))))
          << function.name << " of " << x << " where subnormals are flushed";
    }
  }
}

const Function functions[] = {
    {"exp", elementary::exp, [](double x) { return std::exp(x); }, 0x75ea7599d36d008d},
    {"log", elementary::log, [](double x) { return std::log(x); }, 0xefa1a6bb309085d1},
    {"tanh", elementary::tanh, [](double x) { return std::tanh(x); }, 0xab4bddfad1e9da76},
};

INSTANTIATE_TEST_SUITE_P(Functions, Elementary, testing::ValuesIn(functions),
                         [](const auto& info) { return std::string(info.param.name); });

/// What plain numbers fold with: within 2^-51 of the library's, over all of the doubles.
TEST(ElementaryOfDoubles, IsCloseEverywhere) {
  const auto expect_close = [](double own, double library, double x) {
    if (std::isnan(library) || std::isinf(library) || library == 0) {
      EXPECT_TRUE(std::isnan(library) ? std::isnan(own) : own == library) << x;
    } else {
      EXPECT_LE(std::abs(own - library), 0x1p-51 * std::abs(library) + 0x1p-1074) << x;
    }
  };
  for (double x = 0x1p-1073; x < std::numeric_limits<double>::infinity(); x *= 1.37) {
    for (const double each : {x, -x, 1 + x, 1 - x}) {
      expect_close(elementary::exp(each), std::exp(each), each);
      expect_close(elementary::tanh(each), std::tanh(each), each);
      if (std::abs(std::log(each)) > 1e-3) expect_close(elementary::log(each), std::log(each), each);
    }
  }
  static_assert(elementary::exp(0.0) == 1 && elementary::log(1.0) == 0 && elementary::tanh(0.0) == 0);
}

}  // namespace
}  // namespace qfw

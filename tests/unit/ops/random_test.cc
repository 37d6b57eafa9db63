#include "qfw/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

#include "qfw/builder.h"
#include "qfw/error.h"

using namespace qfw;

namespace {

using Words = std::array<std::uint32_t, 4>;

// From the authors' known answers (Random123, kat_vectors, philox4x32 10).
TEST(Philox, GivesTheAuthorsAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DependsOnNothingButItsNumbers) {
  RandomStream first(7, 1, 2), again(7, 1, 2);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t word = first.bits();
    EXPECT_EQ(word, again.bits());
    seen.insert(word);
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_NE(RandomStream(7, 1, 2).bits(), RandomStream(8, 1, 2).bits());
  EXPECT_NE(RandomStream(7, 1, 2).bits(), RandomStream(7, 2, 1).bits());
}

TEST(RandomStream, IsUniformAndNormal) {
  RandomStream stream(1, 2, 3);
  constexpr int count = 20000;
  double sum = 0, square = 0, normal_sum = 0, normal_square = 0;
  std::array<int, 7> below{};
  for (int i = 0; i < count; ++i) {
    const double u = stream.uniform(), n = stream.normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
    square += u * u;
    normal_sum += n;
    normal_square += n * n;
    const auto word = stream.below(7);
    ASSERT_LT(word, 7u);
    ++below[word];
  }
  EXPECT_NEAR(sum / count, 0.5, 0.01);
  EXPECT_NEAR(square / count, 1.0 / 3, 0.01);
  EXPECT_NEAR(normal_sum / count, 0, 0.03);
  EXPECT_NEAR(normal_square / count, 1, 0.04);
  for (const int hits : below) EXPECT_NEAR(hits, count / 7.0, 250);
}

TEST(RandomUniform, HasAStreamOfItsOwnForEveryNameAndStep) {
  EXPECT_NE(random_uniform_element(1, 0, 5, 0), random_uniform_element(1, 1, 5, 0));
  EXPECT_NE(random_uniform_element(1, 0, 5, 0), random_uniform_element(1, 0, 6, 0));
  EXPECT_NE(random_uniform_element(1, 0, 5, 0), random_uniform_element(2, 0, 5, 0));
  std::set<float> seen;
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const float value = random_uniform_element(1, 0, 5, i);
    ASSERT_TRUE(value >= 0 && value < 1);
    EXPECT_EQ(value, std::ldexp(std::floor(std::ldexp(value, 24)), -24));
    seen.insert(value);
    sum += value;
  }
  EXPECT_GT(seen.size(), 990u);
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
}

TEST(RandomUniform, TakesItsStreamFromPathAndName) {
  GraphBuilder g({.training = true});
  const auto stream = [&](Value value) { return g.graph().nodes[value.node()].as<Stream>().id; };
  const auto first = stream(random_uniform(g, "noise", {3}));
  EXPECT_EQ(first, hash_of("noise"));
  {
    const auto scope = g.scope("conv");
    EXPECT_EQ(stream(random_uniform(g, "noise", {3})), hash_of("conv/noise"));
  }
  EXPECT_THROW(random_uniform(g, "", {3}), Error);
}

}  // namespace

#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "support.h"

namespace qfw {
namespace {

using test::Picture;

/// Keys' kernel as the original has it: 1024 steps a pixel, inputs beyond the border left out and the others scaled up for
/// them. Written the slow way, in double.
struct Oracle {
  static double kernel(double x) {
    x = std::abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  }
  static std::vector<std::pair<int, double>> weights(int from, int to, int out) {
    const double place = (out + 0.5) * from / to - 0.5, floor = std::floor(place);
    const double part = std::rint((place - floor) * 1024) / 1024;
    std::vector<std::pair<int, double>> all;
    double sum = 0;
    for (int k = -1; k <= 2; ++k) {
      const int index = static_cast<int>(floor) + k;
      if (index < 0 || index >= from) continue;
      all.emplace_back(index, kernel(part - k));
      sum += all.back().second;
    }
    for (auto& entry : all) entry.second /= sum;
    return all;
  }
  static std::vector<double> resize(const Picture& picture, image::Size size) {
    std::vector<double> result;
    for (int y = 0; y < size.height; ++y) {
      const auto rows = weights(picture.height, size.height, y);
      for (int x = 0; x < size.width; ++x) {
        const auto columns = weights(picture.width, size.width, x);
        for (int c = 0; c < 3; ++c) {
          double sum = 0;
          for (const auto& [row, vertical] : rows) {
            for (const auto& [column, horizontal] : columns) {
              sum += vertical * horizontal * picture.levels[static_cast<std::size_t>((row * picture.width + column) * 3 + c)];
            }
          }
          result.push_back(sum);
        }
      }
    }
    return result;
  }
};

std::vector<float> resized(const Picture& picture, image::Size size, bool mirrored = false,
                           const image::Normalize& normalize = {}) {
  std::vector<float> result(static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3, -1e9f);
  image::Resizer().bicubic(picture.pixels(), size, mirrored, normalize, result);
  return result;
}

constexpr image::Size sizes[] = {{1, 1}, {1, 7}, {2, 3}, {5, 4}, {16, 16}, {33, 47}, {90, 20}, {3, 200}};

TEST(Bicubic, AgreesWithTheSlowWay) {
  for (const image::Size from : sizes) {
    const Picture picture(from.height, from.width);
    for (const image::Size to : sizes) {
      const auto expected = Oracle::resize(picture, to);
      const auto found = resized(picture, to);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        // A place on the border of two steps of the table may fall to the other one: a step's worth of a slope.
        ASSERT_NEAR(found[i], expected[i], 0.2)
            << from.height << " x " << from.width << " to " << to.height << " x " << to.width;
      }
      std::vector<double> differences;
      for (std::size_t i = 0; i < found.size(); ++i) differences.push_back(std::abs(found[i] - expected[i]));
      std::ranges::sort(differences);
      EXPECT_LT(differences[differences.size() * 9 / 10], 1e-3);
    }
  }
}

TEST(Bicubic, TheSameSizeIsTheSamePicture) {
  const Picture picture(19, 23);
  const auto found = resized(picture, {19, 23});
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], picture.levels[i]);
}

TEST(Bicubic, ConstantStaysConstantAndOvershootIsKept) {
  Picture flat(7, 9);
  std::ranges::fill(flat.levels, std::uint8_t{200});
  for (const float value : resized(flat, {31, 5})) EXPECT_NEAR(value, 200, 1e-3);

  Picture step(8, 8);
  for (std::size_t i = 0; i < step.levels.size(); ++i) step.levels[i] = i / 3 % 8 < 4 ? 0 : 255;
  const auto found = resized(step, {8, 64});
  EXPECT_LT(*std::ranges::min_element(found), -5);
  EXPECT_GT(*std::ranges::max_element(found), 260);
}

TEST(Bicubic, MirroredIsTheSameReversed) {
  for (const image::Size to : sizes) {
    const Picture picture(21, 34);
    const auto plain = resized(picture, to), mirrored = resized(picture, to, true);
    for (int y = 0; y < to.height; ++y) {
      for (int x = 0; x < to.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(mirrored[static_cast<std::size_t>((y * to.width + x) * 3 + c)],
                    plain[static_cast<std::size_t>((y * to.width + to.width - 1 - x) * 3 + c)]);
        }
      }
    }
  }
}

TEST(Bicubic, NormalizesEachChannel) {
  const image::Normalize normalize{{10, 100, 200}, {0.5f, 0.25f, 2}};
  const Picture picture(11, 13);
  const auto plain = resized(picture, {6, 9}), found = resized(picture, {6, 9}, false, normalize);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i], (plain[i] - normalize.mean[i % 3]) * normalize.factor[i % 3]);
  }
}

TEST(Bicubic, WritesNothingBeyondItsImage) {
  image::Resizer resizer;
  for (const image::Size to : sizes) {
    const Picture picture(15, 10);
    const std::size_t count = static_cast<std::size_t>(to.height) * static_cast<std::size_t>(to.width) * 3;
    std::vector<float> room(count + 32, 12345);
    resizer.bicubic(picture.pixels(), to, false, {}, std::span(room).subspan(16, count));
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_EQ(room[i], 12345);
      EXPECT_EQ(room[16 + count + i], 12345);
    }
  }
}

TEST(Bicubic, OneResizerServesAnySequenceOfSizes) {
  image::Resizer resizer;
  for (const image::Size from : sizes) {
    for (const bool mirrored : {false, true, false}) {
      const Picture picture(from.height, from.width);
      std::vector<float> found(20 * 30 * 3);
      resizer.bicubic(picture.pixels(), {20, 30}, mirrored, {}, found);
      EXPECT_EQ(found, resized(picture, {20, 30}, mirrored));
    }
  }
}

TEST(Bicubic, EveryInstructionSetGivesTheSameBits) {
  const Picture picture(57, 71);
  const image::Normalize normalize{{123.675f, 116.28f, 103.53f}, {1 / 58.395f, 1 / 57.12f, 1 / 57.375f}};
  const auto expected = resized(picture, {40, 93}, true, normalize);
  const auto all = hwy::SupportedTargets();
  int compared = 0;
  for (auto left = all; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    EXPECT_EQ(resized(picture, {40, 93}, true, normalize), expected) << hwy::TargetName(left & -left);
    ++compared;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  EXPECT_GT(compared, 0);
}

TEST(Bicubic, RefusesWhatDoesNotFit) {
  const Picture picture(4, 4), grey(4, 4, 1);
  std::vector<float> room(12);
  EXPECT_THAT(test::message_of(Error::Category::internal,
                               [&] {
                                 image::Resizer().bicubic(picture.pixels(), {3, 2}, false, {}, room);
                               }),
              testing::HasSubstr("4 x 4 x 3 to 3 x 2 in 12 floats"));
  EXPECT_THROW(image::Resizer().bicubic(grey.pixels(), {2, 2}, false, {}, room), Error);
  EXPECT_THROW(image::Resizer().bicubic(picture.pixels(), {0, 2}, false, {}, {}), Error);
}

}  // namespace
}  // namespace qfw

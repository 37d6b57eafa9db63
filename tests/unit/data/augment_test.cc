#include "qfw/augment.h"

#include <map>
#include <numeric>

#include "qfw/image.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;

constexpr const char* library = "augment_pixels";

struct Image {
  explicit Image(Shape shape) : shape(shape), bytes(static_cast<std::size_t>(shape.count())) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  }
  Example example() const { return {.shape = shape, .bytes = bytes}; }

  Shape shape;
  std::vector<std::byte> bytes;
};

std::vector<float> apply(const Augment& augment, const Image& image, std::uint64_t index, bool training) {
  std::vector<float> out(image.bytes.size(), -99);
  RandomStream random(1, 2, index);
  augment.apply(image.example(), random, training, out);
  return out;
}

std::vector<float> plain(const Image& image) {
  std::vector<float> out;
  for (const auto byte : image.bytes) out.push_back(static_cast<float>(static_cast<int>(byte) / 255.0));
  return out;
}

TEST(AugmentNone, ScalesToOneByDefault) {
  const auto none = test::make_plugin<Augment>(library, "none");
  const Image image({3, 5, 2});
  EXPECT_EQ(none->output(image.shape), image.shape);
  EXPECT_EQ(apply(*none, image, 0, true), plain(image));
  EXPECT_EQ(apply(*none, image, 0, false), plain(image));
}

TEST(AugmentNone, NormalizesEachChannel) {
  const auto none = test::make_plugin<Augment>(
      library, "none", {{"mean", std::vector<double>{0.25, 0.5, 0.75}}, {"stddev", std::vector<double>{0.5, 2, 4}}});
  const Image image({4, 4, 3});
  const auto out = apply(*none, image, 0, false);
  const double mean[] = {0.25, 0.5, 0.75}, stddev[] = {0.5, 2, 4};
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], static_cast<float>((static_cast<int>(image.bytes[i]) / 255.0 - mean[i % 3]) / stddev[i % 3])) << i;
  }
  const auto mixed = test::make_plugin<Augment>(library, "none", {{"mean", std::vector<double>{1, 0, 0}}});
  EXPECT_EQ(apply(*mixed, image, 0, false)[1], plain(image)[1]);
  EXPECT_EQ(apply(*mixed, image, 0, false)[0], static_cast<float>(static_cast<int>(image.bytes[0]) / 255.0 - 1.0));
}

TEST(AugmentNone, RefusesWhatItCannotTake) {
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [] {
                                 test::make_plugin<Augment>(
                                     library, "none",
                                     {{"mean", std::vector<double>{1, 2}}, {"stddev", std::vector<double>{1, 2, 3}}});
                               }),
              testing::AllOf(HasSubstr("mean has 2"), HasSubstr("stddev 3")));
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [] {
                                 test::make_plugin<Augment>(library, "none", {{"stddev", std::vector<double>{0}}});
                               }),
              HasSubstr("stddev is 0"));
  const auto none = test::make_plugin<Augment>(library, "none", {{"mean", std::vector<double>{1, 2, 3}}});
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { none->output({}); }), HasSubstr("sizes differ"));
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 none->output({28, 28, 1});
                               }),
              HasSubstr("images have 1 channels"));

  const Image image({2, 2, 3});
  std::vector<float> room(12);
  RandomStream random(1, 2, 3);
  Example jpeg = image.example();
  jpeg.encoding = Example::Encoding::jpeg;
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { none->apply(jpeg, random, false, room); }),
              HasSubstr("neither a JPEG, a PNG nor a WebP"));
  EXPECT_THAT(
      test::message_of(Error::Category::data, [&] { none->apply(image.example(), random, false, std::span(room).first(6)); }),
      HasSubstr("room for 6"));
  Example cut = image.example();
  cut.bytes = cut.bytes.first(11);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { none->apply(cut, random, false, room); }), HasSubstr("11 bytes"));
}

TEST(AugmentNone, DecodesFilesOfOneSize) {
  const Image image({6, 6, 3});
  const auto bytes = image::encode(image.example(), Example::Encoding::png, 0);
  const Example file{.encoding = Example::Encoding::png, .shape = {}, .bytes = bytes};
  const auto none = test::make_plugin<Augment>(library, "none", {{"image_size", std::int64_t{6}}});
  EXPECT_EQ(none->output({}), (Shape{6, 6, 3}));
  EXPECT_EQ(none->output({6, 6, 1}), (Shape{6, 6, 1}));
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { none->output({6, 7, 3}); }), HasSubstr("image_size is 6"));
  std::vector<float> room(108);
  RandomStream random(1, 2, 3);
  none->apply(file, random, false, room);
  EXPECT_EQ(room, plain(image));

  const auto other = test::make_plugin<Augment>(library, "none", {{"image_size", std::int64_t{7}}});
  room.resize(147);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { other->apply(file, random, false, room); }),
              HasSubstr("room for 147"));
}

TEST(AugmentNone, DecodesToTheChannelsThatTheDataSetHas) {
  const Image grey({3, 4, 1});
  const auto bytes = image::encode(grey.example(), Example::Encoding::png, 0);
  const Example file{.encoding = Example::Encoding::png, .shape = {}, .bytes = bytes};
  std::vector<float> room(12);
  RandomStream random(1, 2, 3);
  test::make_plugin<Augment>(library, "none")->apply(file, random, false, room);
  EXPECT_EQ(room, plain(grey));
}

/// Every possible result, by (down, right, mirrored), made the slow way: pad, cut, mirror.
std::vector<float> moved(const Image& image, int down, int right, bool mirrored) {
  const auto source = plain(image);
  const std::int64_t height = image.shape[0], width = image.shape[1], channels = image.shape[2];
  std::vector<float> out;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t v = y - down, u = (mirrored ? width - 1 - x : x) - right;
      for (std::int64_t c = 0; c < channels; ++c) {
        const bool inside = u >= 0 && u < width && v >= 0 && v < height;
        out.push_back(inside ? source[static_cast<std::size_t>((v * width + u) * channels + c)] : 0.0f);
      }
    }
  }
  return out;
}

TEST(AugmentShiftFlip, TakesEveryShiftAndMirrorAboutEquallyOften) {
  const auto augment = test::make_plugin<Augment>(library, "shift_flip", {{"shift", std::int64_t{1}}});
  const Image image({4, 5, 2});
  std::map<std::vector<float>, int> expected;
  for (int down = -1; down <= 1; ++down) {
    for (int right = -1; right <= 1; ++right) {
      for (const bool mirrored : {false, true}) expected[moved(image, down, right, mirrored)] = 0;
    }
  }
  ASSERT_EQ(expected.size(), 18u);
  constexpr int draws = 3600;
  for (int i = 0; i < draws; ++i) {
    const auto found = expected.find(apply(*augment, image, static_cast<std::uint64_t>(i), true));
    ASSERT_NE(found, expected.end()) << i;
    ++found->second;
  }
  for (const auto& [pixels, count] : expected) EXPECT_NEAR(count, draws / 18, 70);  // 5 standard deviations
}

TEST(AugmentShiftFlip, DependsOnTheStreamAlone) {
  const auto augment = test::make_plugin<Augment>(library, "shift_flip");
  const Image image({28, 28, 1});
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(apply(*augment, image, i, true), apply(*augment, image, i, true));
}

TEST(AugmentShiftFlip, EvaluationIsPlainAndDrawsNothing) {
  const auto augment = test::make_plugin<Augment>(library, "shift_flip");
  const Image image({6, 6, 1});
  std::vector<float> out(36);
  RandomStream random(1, 2, 3), untouched(1, 2, 3);
  augment->apply(image.example(), random, false, out);
  EXPECT_EQ(out, plain(image));
  EXPECT_EQ(random.bits(), untouched.bits());
}

TEST(AugmentShiftFlip, CanBeSwitchedOffAndFillsWithBlack) {
  const Image image({3, 3, 1});
  const auto still = test::make_plugin<Augment>(library, "shift_flip", {{"shift", std::int64_t{0}}, {"flip", false}});
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(apply(*still, image, i, true), plain(image));

  const auto far =
      test::make_plugin<Augment>(library, "shift_flip", {{"shift", std::int64_t{200}}, {"mean", std::vector<double>{0.5}}});
  int empty = 0;
  for (std::uint64_t i = 0; i < 20; ++i) empty += apply(*far, image, i, true) == std::vector<float>(9, -0.5f);
  EXPECT_GE(empty, 15);
}

}  // namespace
}  // namespace qfw

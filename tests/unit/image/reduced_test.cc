#include "image/reduced.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "image/jpeg.h"
#include "qfw/error.h"
#include "support.h"
#include "support/golden.h"

namespace qfw::image {
namespace {

using test::Picture;
using Filter = Preparation::Filter;
using Fit = Preparation::Fit;

std::vector<std::uint8_t> bytes_of(const golden::Array& array) { return {array.values.begin(), array.values.end()}; }

/// Of a picture with edges that ring, reduced, enlarged, and along one axis only.
TEST(Reduced, WhatPillowMakesToTheBit) {
  const auto file = golden::Group::open("import/resized.h5");
  const auto picture = file.floats("picture");
  const std::vector<std::uint8_t> bytes = bytes_of(picture);
  const Pixels from{static_cast<int>(picture.shape[0]), static_cast<int>(picture.shape[1]), 3, bytes};
  const Size sizes[] = {{14, 19}, {45, 61}, {12, 61}, {97, 130}, {45, 12}, {23, 31}};
  const std::pair<int, int> corners[] = {{1, 3}, {20, 40}, {0, 49}, {60, 100}, {33, 0}, {5, 9}};
  ReducingResizer resize;
  for (const Filter filter : {Filter::bilinear_reduced, Filter::bicubic_reduced}) {
    for (std::size_t i = 0; i < std::size(sizes); ++i) {
      const std::string name = std::string(name_of(filter)) + "_" + std::to_string(i);
      const auto expected = file.floats(name);
      ASSERT_EQ(expected.shape, (Shape{12, 12, 3}));
      const auto found = resize(from, filter, sizes[i], {corners[i].first, corners[i].second, 12, 12});
      EXPECT_EQ(std::vector<std::uint8_t>(found.begin(), found.end()), bytes_of(expected)) << name;
    }
  }
}

std::vector<float> prepared(const Preparation& preparation, const Example& example) {
  std::vector<float> image(static_cast<std::size_t>(preparation.height * preparation.width * preparation.channels), -99);
  Preparer{preparation}(example, image);
  return image;
}

Preparation of(Fit fit, Filter filter) {
  return {.height = 12, .width = 12, .fit = fit, .filter = filter, .margin = 2, .mean = {0.1, 0.2, 0.3}, .stddev = {0.5, 1, 2}};
}

float normalized(int value, const Preparation& preparation, std::size_t channel) {
  const auto mean = static_cast<float>(255 * preparation.mean[channel]);
  return (static_cast<float>(value) - mean) * static_cast<float>(1 / (255 * preparation.stddev[channel]));
}

/// The shorter side becomes 14, the longer one is rounded down, places of the crop are rounded to even.
TEST(Preparer, TheShorterSideIsResizedThenTheMiddleCutOut) {
  struct Case {
    Size picture, whole;
    int y, x;
  };
  for (const auto& [picture, whole, y, x] :
       {Case{{45, 61}, {14, 18}, 1, 3}, Case{{61, 45}, {18, 14}, 3, 1}, Case{{20, 37}, {14, 25}, 1, 6},
        Case{{30, 30}, {14, 14}, 1, 1}, Case{{9, 28}, {14, 43}, 1, 16}, Case{{14, 15}, {14, 15}, 1, 2}}) {
    const Picture source(picture.height, picture.width);
    const auto png = encode_png(source.pixels());
    const Example example{.encoding = Example::Encoding::png, .shape = {}, .bytes = png};
    for (const Filter filter : {Filter::bilinear_reduced, Filter::bicubic_reduced}) {
      const Preparation preparation = of(Fit::shorter_side, filter);
      ReducingResizer resize;
      const auto expected = resize(source.pixels(), filter, whole, {y, x, 12, 12});
      const std::vector<float> found = prepared(preparation, example);
      for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], normalized(expected[i], preparation, i % 3)) << i;
    }
    const Preparation preparation = of(Fit::shorter_side, Filter::bicubic);
    std::vector<float> all(static_cast<std::size_t>(3 * whole.height * whole.width));
    Normalize normalize;
    for (std::size_t c = 0; c < 3; ++c) {
      normalize.mean[c] = static_cast<float>(255 * preparation.mean[c]);
      normalize.factor[c] = static_cast<float>(1 / (255 * preparation.stddev[c]));
    }
    Resizer().bicubic(source.pixels(), whole, false, normalize, all);
    const std::vector<float> found = prepared(preparation, example);
    for (int row = 0; row < 12; ++row) {
      const float* expected = all.data() + 3 * ((y + row) * whole.width + x);
      ASSERT_EQ(std::memcmp(found.data() + 36 * row, expected, 36 * sizeof(float)), 0) << row;
    }
  }
}

TEST(Preparer, SquaresAreReducedAndMirrored) {
  const Picture source(40, 50);
  const auto png = encode_png(source.pixels());
  const Example example{.encoding = Example::Encoding::png, .shape = {}, .bytes = png};
  const Preparation preparation = of(Fit::centre_square, Filter::bilinear_reduced);
  const Window window = centre_square({40, 50}, 12, 2);
  const auto cut = source.cut(window);
  ReducingResizer resize;
  const auto expected = resize({window.height, window.width, 3, cut}, preparation.filter, {12, 12}, {0, 0, 12, 12});
  const std::vector<float> found = prepared(preparation, example);
  std::vector<float> mirrored(found.size());
  Preparer(preparation).apply(example, window, true, mirrored);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::size_t y = i / 36, x = i / 3 % 12, c = i % 3;
    ASSERT_EQ(found[i], normalized(expected[i], preparation, c)) << i;
    ASSERT_EQ(mirrored[(y * 12 + 11 - x) * 3 + c], found[i]) << i;
  }
}

/// Means are those of the network's order.
TEST(Preparer, BlueMayComeFirst) {
  const Picture source(40, 50);
  const auto png = encode_png(source.pixels());
  const Example example{.encoding = Example::Encoding::png, .shape = {}, .bytes = png};
  for (const auto& [fit, filter] :
       {std::pair(Fit::shorter_side, Filter::bilinear_reduced), std::pair(Fit::shorter_side, Filter::bicubic),
        std::pair(Fit::centre_square, Filter::bicubic)}) {
    Preparation rgb = of(fit, filter), bgr = rgb;
    bgr.bgr = true;
    std::swap(bgr.mean[0], bgr.mean[2]);
    std::swap(bgr.stddev[0], bgr.stddev[2]);
    const std::vector<float> expected = prepared(rgb, example), found = prepared(bgr, example);
    for (std::size_t i = 0; i < found.size(); i += 3) {
      ASSERT_EQ(found[i], expected[i + 2]);
      ASSERT_EQ(found[i + 1], expected[i + 1]);
      ASSERT_EQ(found[i + 2], expected[i]);
    }
  }
}

TEST(Preparer, OneChannelIsTheFirst) {
  const Picture source(40, 50);
  const auto png = encode_png(source.pixels());
  const Example example{.encoding = Example::Encoding::png, .shape = {}, .bytes = png};
  Preparation grey = of(Fit::shorter_side, Filter::bicubic_reduced);
  const std::vector<float> expected = prepared(grey, example);
  grey.channels = 1;
  grey.mean = {0.1};
  grey.stddev = {0.5};
  const std::vector<float> found = prepared(grey, example);
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], expected[3 * i]);
}

/// The filters of other programs come with those programs' decoder.
TEST(Preparer, JpegsAreDecodedAccuratelyForReducedFilters) {
  const Picture source(48, 48);
  const auto jpeg = encode_jpeg(source.pixels(), 80);
  std::vector<std::uint8_t> accurate, fast;
  decode_jpeg(jpeg, {}, accurate, JpegTransform::accurate);
  decode_jpeg(jpeg, {}, fast);
  ASSERT_NE(accurate, fast);
  const Preparation preparation = of(Fit::shorter_side, Filter::bilinear_reduced);
  const auto as_pixels = [](const std::vector<std::uint8_t>& pixels) {
    return Example{.shape = {48, 48, 3}, .bytes = std::as_bytes(std::span(pixels))};
  };
  const Example example{.encoding = Example::Encoding::jpeg, .shape = {}, .bytes = jpeg};
  EXPECT_EQ(prepared(preparation, example), prepared(preparation, as_pixels(accurate)));
  EXPECT_NE(prepared(preparation, example), prepared(preparation, as_pixels(fast)));
}

TEST(Preparer, PicturesTooNarrowAreErrors) {
  const std::vector<std::byte> pixels(std::size_t{1} << 22);
  const Example example{.shape = {1, 1 << 22, 1}, .bytes = pixels};
  Preparation preparation = of(Fit::shorter_side, Filter::bilinear_reduced);
  EXPECT_NO_THROW(prepared(preparation, example));
  preparation.margin = 16384;
  try {
    prepared(preparation, example);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::data);
    EXPECT_THAT(error.what(), testing::HasSubstr("too narrow"));
  }
}

}  // namespace
}  // namespace qfw::image

#include "qfw/preparation.h"

#include "qfw/augment.h"
#include "support.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using image::Preparation;
using image::Preparer;
using test::example_of;
using test::Picture;
using ::testing::HasSubstr;

std::vector<float> prepared(const Preparation& preparation, const Example& example) {
  std::vector<float> image(static_cast<std::size_t>(preparation.height * preparation.width * preparation.channels), -99);
  Preparer{preparation}(example, image);
  return image;
}

/// What an augment does in an evaluation, by itself and as it tells.
void expect_told(const std::string& name, const Settings& settings, const Shape& source, const Example& example) {
  const auto augment = testing::make<Augment>(name, settings);
  std::vector<float> expected(static_cast<std::size_t>(augment->output(source).count()));
  RandomStream random(1, 2, 3);
  augment->apply(example, random, false, expected);
  const auto told = augment->preparation(source);
  ASSERT_TRUE(told) << name;
  EXPECT_EQ(prepared(*told, example), expected) << name;
}

TEST(Preparation, IsWhatAugmentsDoInAnEvaluation) {
  const std::vector<double> mean{0.5, 0.25, 0.125}, stddev{0.3, 0.2, 0.1};
  const Settings numbers{{"mean", mean}, {"stddev", stddev}};
  const Picture picture(20, 20), photograph(37, 52), grey(20, 20, 1);
  const Example pixels{.shape = {20, 20, 3}, .bytes = std::as_bytes(std::span(picture.levels))};
  const Example grey_pixels{.shape = {20, 20, 1}, .bytes = std::as_bytes(std::span(grey.levels))};
  const auto file = image::encode_png(picture.pixels()), jpeg = image::encode_jpeg(photograph.pixels(), 90);
  const auto grey_file = image::encode_png(grey.pixels());
  for (const char* name : {"none", "shift_flip"}) {
    expect_told(name, numbers, {20, 20, 3}, pixels);
    expect_told(name, numbers, {20, 20, 3}, example_of(file));
    expect_told(name, {}, {20, 20, 1}, grey_pixels);
    expect_told(name, {}, {20, 20, 1}, example_of(grey_file));
  }
  Settings crop = numbers;
  crop.emplace_back("image_size", std::int64_t{24});
  crop.emplace_back("crop_padding", std::int64_t{5});
  for (const char* name : {"imagenet_eval", "imagenet_train"}) {
    expect_told(name, crop, {}, example_of(jpeg));
    expect_told(name, crop, {20, 20, 1}, grey_pixels);
  }
}

TEST(Preparation, PutsBlueFirstWithItsOwnNumbers) {
  const auto file = image::encode_png(Picture(40, 30).pixels());
  for (const Preparation::Fit fit : {Preparation::Fit::exact, Preparation::Fit::centre_square}) {
    Preparation rgb{.height = 40, .width = 30, .fit = fit, .mean = {0.1, 0.2, 0.3}, .stddev = {1, 2, 3}};
    if (fit != Preparation::Fit::exact) rgb.height = rgb.width = 16;
    Preparation bgr = rgb;
    bgr.bgr = true;
    bgr.mean = {0.3, 0.2, 0.1};
    bgr.stddev = {3, 2, 1};
    std::vector<float> expected = prepared(rgb, example_of(file));
    for (std::size_t i = 0; i < expected.size(); i += 3) std::swap(expected[i], expected[i + 2]);
    EXPECT_EQ(prepared(bgr, example_of(file)), expected);
  }
}

TEST(Preparation, TablesSayWhatPixelsOfTheRightSizeBecome) {
  Picture picture(16, 16);
  for (std::size_t i = 0; i < 256; ++i) picture.levels[3 * i] = static_cast<std::uint8_t>(i);
  const Example pixels{.shape = {16, 16, 3}, .bytes = std::as_bytes(std::span(picture.levels))};
  for (const Preparation::Fit fit : {Preparation::Fit::exact, Preparation::Fit::centre_square}) {
    const Preparation preparation{.height = 16, .width = 16, .fit = fit, .mean = {0.4, 0.5, 0.6}, .stddev = {0.3}};
    const auto tables = tables_of(preparation);
    const auto image = prepared(preparation, pixels);  // a resizing to the same size keeps whole numbers
    ASSERT_EQ(tables.size(), 3u);
    for (std::size_t i = 0; i < image.size(); ++i) EXPECT_EQ(image[i], tables[i % 3][picture.levels[i]]) << i;
  }
}

TEST(Preparation, RefusesWhatNoNetworkReads) {
  const auto message = [](const Preparation& preparation) {
    try {
      check(preparation);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(message({.height = 1, .width = 2}), "nothing");
  EXPECT_THAT(message({.height = 0, .width = 2}), HasSubstr("images are 0 x 2"));
  EXPECT_THAT(message({.height = 4, .width = 4, .mean = {1, 2}}), HasSubstr("mean has 2 numbers, images have 3 channels"));
  EXPECT_THAT(message({.height = 4, .width = 4, .stddev = {0}}), HasSubstr("stddev is 0"));
  EXPECT_THAT(message({.height = 4, .width = 4, .stddev = {std::nan("")}}), HasSubstr("stddev is nan"));
  EXPECT_THAT(message({.height = 4, .width = 4, .channels = 1, .bgr = true}), HasSubstr("bgr"));
  EXPECT_THAT(message({.height = 4, .width = 5, .fit = Preparation::Fit::centre_square}), HasSubstr("crops are square"));
  EXPECT_THAT(message({.height = 4, .width = 4, .fit = Preparation::Fit::shorter_side, .margin = -1}), HasSubstr("margin"));
}

TEST(Preparation, RefusesPicturesOfAnotherSize) {
  const auto message = [](const Preparation& preparation, const Example& example) {
    try {
      prepared(preparation, example);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const std::vector<std::uint8_t> grey(72);
  const std::string wanted = "; the network reads 8 x 8 in 3 channels";
  EXPECT_THAT(message({.height = 8, .width = 8}, example_of(image::encode_png(Picture(9, 8).pixels()))),
              HasSubstr("the picture (png) has 9 x 8 pixels, height x width" + wanted));
  EXPECT_THAT(message({.height = 8, .width = 8, .channels = 1}, example_of(image::encode_png({9, 8, 1, grey}))),
              HasSubstr("the picture (png) has 9 x 8 pixels, height x width; the network reads 8 x 8 in one channel"))
      << "nothing is said of channels that decoding made up";
  EXPECT_THAT(message({.height = 8, .width = 8}, example_of(image::encode_jpeg(Picture(8, 9).pixels(), 90))),
              HasSubstr("the picture (jpeg) has 8 x 9 pixels, height x width" + wanted));
  const Example pixels{
      .encoding = Example::Encoding::pixels, .shape = {9, 8, 1}, .bytes = std::as_bytes(std::span(grey)), .owner = {}};
  EXPECT_THAT(message({.height = 8, .width = 8}, pixels), HasSubstr("the image is [9, 8, 1] in 72 bytes" + wanted));
}

}  // namespace
}  // namespace qfw

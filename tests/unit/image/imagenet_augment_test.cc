#include <cmath>
#include <map>

#include "qfw/augment.h"
#include "support.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using test::example_of;
using test::Picture;
using ::testing::HasSubstr;

std::unique_ptr<Augment> make(const std::string& name, Settings settings = {}) {
  settings.emplace_back("image_size", std::int64_t{24});
  settings.emplace_back("crop_padding", std::int64_t{8});
  return testing::make<Augment>(name, settings);
}

std::vector<float> apply(const Augment& augment, const Example& example, std::uint64_t index, bool training) {
  std::vector<float> image(24 * 24 * 3, -99);
  RandomStream random(5, 1, index);
  augment.apply(example, random, training, image);
  return image;
}

std::vector<float> mirrored(const std::vector<float>& image) {
  std::vector<float> result;
  for (std::size_t y = 0; y < 24; ++y) {
    for (std::size_t x = 24; x-- > 0;) {
      for (std::size_t c = 0; c < 3; ++c) result.push_back(image[(y * 24 + x) * 3 + c]);
    }
  }
  return result;
}

TEST(ImagenetAugment, EvaluationIsTheCentreAndDrawsNothing) {
  const Picture picture(60, 91);
  const auto bytes = image::encode_png(picture.pixels());
  const auto eval = make("imagenet_eval"), train = make("imagenet_train");
  const auto found = apply(*eval, example_of(bytes), 0, false);

  constexpr int side = 45;  // 24 / 32 of 60
  image::Decoder decoder;
  const image::Pixels centre = decoder.decode(example_of(bytes), {(60 - side + 1) / 2, (91 - side + 1) / 2, side, side});
  image::Normalize normalize;
  const double mean[] = {0.485, 0.456, 0.406}, stddev[] = {0.229, 0.224, 0.225};
  for (int c = 0; c < 3; ++c) {
    normalize.mean[c] = static_cast<float>(255 * mean[c]);
    normalize.factor[c] = static_cast<float>(1 / (255 * stddev[c]));
  }
  std::vector<float> expected(found.size());
  image::Resizer().bicubic(centre, {24, 24}, false, normalize, expected);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(apply(*train, example_of(bytes), 3, false), found);
  EXPECT_EQ(apply(*eval, example_of(bytes), 4, true), found);

  RandomStream random(1, 2, 3), untouched(1, 2, 3);
  std::vector<float> room(24 * 24 * 3);
  train->apply(example_of(bytes), random, false, room);
  EXPECT_EQ(random.bits(), untouched.bits());
}

TEST(ImagenetAugment, TrainingDependsOnTheStreamAlone) {
  const Picture picture(70, 50), other(31, 99);
  const auto bytes = image::encode_jpeg(picture.pixels(), 90), others = image::encode_jpeg(other.pixels(), 90);
  const auto train = make("imagenet_train");
  std::map<std::vector<float>, int> seen;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto first = apply(*train, example_of(bytes), i, true);
    apply(*train, example_of(others), i + 7, true);
    EXPECT_EQ(apply(*make("imagenet_train"), example_of(bytes), i, true), first);
    ++seen[first];
  }
  EXPECT_GT(seen.size(), 37u);
}

TEST(ImagenetAugment, MirrorsEveryOtherImageWhenTold) {
  const auto bytes = image::encode_png(Picture(48, 48).pixels());
  const auto with = make("imagenet_train"), without = make("imagenet_train", {{"flip", false}});
  int flipped = 0;
  constexpr int draws = 400;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto plain = apply(*without, example_of(bytes), i, true), found = apply(*with, example_of(bytes), i, true);
    if (found == plain) continue;
    ASSERT_EQ(found, mirrored(plain));
    ++flipped;
  }
  EXPECT_NEAR(flipped, draws / 2, 50);  // 5 standard deviations
}

TEST(ImagenetAugment, PicturesOfAnyShapeWork) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 2}, {2, 1}, {1, 500}, {500, 1}, {3, 3}, {7, 300}, {24, 24}}) {
    const auto bytes = image::encode_png(Picture(height, width).pixels());
    for (const char* name : {"imagenet_train", "imagenet_eval"}) {
      const auto augment = make(name);
      for (std::uint64_t i = 0; i < 20; ++i) {
        for (const float value : apply(*augment, example_of(bytes), i, true)) ASSERT_LT(std::abs(value), 5);
      }
    }
  }
}

TEST(ImagenetAugment, WithoutAFittingCropTheCentreIsTaken) {
  const auto bytes = image::encode_png(Picture(9, 300).pixels());  // no crop of 10 % has an aspect of 4/3 or less
  const auto train = make("imagenet_train", {{"flip", false}}), eval = make("imagenet_eval");
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(apply(*train, example_of(bytes), i, true), apply(*eval, example_of(bytes), i, false));
  }
}

TEST(ImagenetAugment, PixelsOfOneChannelBecomeThree) {
  const Picture picture(28, 28, 1);
  const Example example{.shape = {28, 28, 1}, .bytes = std::as_bytes(std::span(picture.levels))};
  const auto augment = make("imagenet_train", {{"mean", std::vector<double>{0}}, {"stddev", std::vector<double>{1}}});
  EXPECT_EQ(augment->output({28, 28, 1}), (Shape{24, 24, 3}));
  const auto image = apply(*augment, example, 2, true);
  for (std::size_t i = 0; i < image.size(); i += 3) {
    EXPECT_EQ(image[i], image[i + 1]);
    EXPECT_EQ(image[i], image[i + 2]);
  }
  EXPECT_EQ(augment->output({}), (Shape{24, 24, 3}));
}

TEST(ImagenetAugment, CropsHaveTheSizesAsked) {
  // A picture whose level is its row: the spread of a crop's levels is its height.
  Picture rows(200, 200);
  for (std::size_t i = 0; i < rows.levels.size(); ++i) rows.levels[i] = static_cast<std::uint8_t>(i / 600);
  const auto bytes = image::encode_png(rows.pixels());
  const auto augment = make("imagenet_train", {{"area_min", 0.25},
                                               {"area_max", 0.25},
                                               {"aspect_min", 1.0},
                                               {"aspect_max", 1.0},
                                               {"mean", std::vector<double>{0}},
                                               {"stddev", std::vector<double>{1}}});
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto image = apply(*augment, example_of(bytes), i, true);
    EXPECT_NEAR(255 * (image[23 * 24 * 3] - image[0]), 100 - 100.0 / 24, 1.5);
  }
}

TEST(ImagenetAugment, RefusesWhatMakesNoSense) {
  const auto message = [](const std::string& name, const Settings& settings) {
    return test::message_of(Error::Category::usage, [&] { testing::make<Augment>(name, settings); });
  };
  EXPECT_THAT(message("imagenet_train", {{"area_min", 0.5}, {"area_max", 0.4}}), HasSubstr("area 0.5 to 0.4"));
  EXPECT_THAT(message("imagenet_train", {{"aspect_min", 2.0}, {"aspect_max", 1.0}}), HasSubstr("aspect 2"));
  EXPECT_THAT(message("imagenet_eval", {{"mean", std::vector<double>{1, 2}}}), HasSubstr("mean has 2"));
  EXPECT_THAT(message("imagenet_eval", {{"stddev", std::vector<double>{1, 0, 1}}}), HasSubstr("stddev is 0"));
  const auto augment = make("imagenet_eval");
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 augment->output({8, 8, 4});
                               }),
              HasSubstr("one or three channels"));
  const std::vector<std::byte> nothing(30);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { apply(*augment, example_of(nothing), 0, false); }),
              HasSubstr("neither a JPEG, a PNG nor a WebP"));
}

}  // namespace
}  // namespace qfw

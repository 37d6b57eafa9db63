#include "predict/predictor.h"

#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "predict/batches.h"
#include "predict/picture_file.h"
#include "predict/top.h"
#include "support.h"
#include "support/files.h"

namespace qfw {
namespace {

using predict::Predictor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Predictor::MakeBackend cpu() {
  return [] { return testing::make<Backend>("cpu", {{"threads", std::int64_t{1}}}); };
}

TEST(Top, LargestFirstAndLowerClassesBeforeEqualOnes) {
  const std::vector<float> logits{1, 3, -2, 3, NAN, 0};
  std::vector<std::size_t> order;
  for (const auto& score : predict::top(logits, 9)) order.push_back(score.index);
  EXPECT_THAT(order, ElementsAre(1, 3, 0, 5, 2, 4));
  EXPECT_EQ(predict::top(logits, 2).size(), 2u);
  EXPECT_TRUE(predict::top(logits, 0).empty());
  EXPECT_TRUE(predict::top({}, 3).empty());
}

TEST(Top, ProbabilitiesAreThoseOfTheSoftmax) {
  const auto scores = predict::top(std::vector<float>{1000, 999, -1000}, 3);
  EXPECT_NEAR(scores[0].probability, 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(scores[1].probability, 1 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_EQ(scores[2].probability, 0);
}

TEST(BatchSizes, AnyNumberIsASumOfThem) {
  EXPECT_THAT(predict::batch_sizes(1), ElementsAre(1));
  EXPECT_THAT(predict::batch_sizes(4), ElementsAre(4, 1));
  EXPECT_THAT(predict::batch_sizes(16), ElementsAre(16, 4, 1));
  EXPECT_THAT(predict::batch_sizes(20), ElementsAre(20, 16, 4, 1));
}

TEST(Predictor, GivesEachImageItsLogitsWhateverItComesWith) {
  const FrozenModel model = test::SmallNetwork(2).make();
  const auto images = test::small_images(41);
  const auto expected = test::logits_of(model, images);
  for (const int batch : {1, 5, 16}) {
    for (const int lanes : {1, 3}) {
      const Predictor predictor(model, cpu(), {.batch = batch, .lanes = lanes});
      std::vector<float> logits(expected.size());
      predictor.images(images, logits);
      EXPECT_EQ(logits, expected) << batch << ' ' << lanes;
      predictor.images({}, {});
    }
  }
}

TEST(Predictor, ServesSeveralThreadsAtOnce) {
  const FrozenModel model = test::SmallNetwork(2).make();
  const auto images = test::small_images(12);
  const auto expected = test::logits_of(model, images);
  const Predictor predictor(model, cpu(), {.batch = 4, .lanes = 2});
  const std::size_t one = predictor.image_elements();
  std::vector<std::thread> callers;
  std::vector<int> equal(6);
  for (std::size_t caller = 0; caller < equal.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < 20; ++i) {
        const std::size_t first = (caller + i) % 8, count = 1 + i % 5;
        std::vector<float> logits(count * 5);
        predictor.images(std::span(images).subspan(first * one, count * one), logits);
        equal[caller] += std::equal(logits.begin(), logits.end(), expected.begin() + static_cast<std::ptrdiff_t>(first * 5));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(equal, ::testing::Each(20));
}

TEST(Predictor, OneCallersMistakeIsNotTheOthers) {
  const FrozenModel model = test::SmallNetwork(2).make();
  const Predictor predictor(model, cpu(), {});
  auto images = test::small_images(2);
  std::vector<float> logits(10);
  images[200] = NAN;
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { predictor.images(images, logits); }),
              HasSubstr("value 11 of image 1 is nan"));
  images[200] = 0;
  predictor.images(images, logits);
  EXPECT_EQ(logits, test::logits_of(model, images));
}

TEST(Predictor, RefusesWhatNoBackendMakes) {
  const auto broken = []() -> std::unique_ptr<Backend> { fail(Error::Category::device, "test", "there is no device"); };
  EXPECT_THAT(test::message_of(Error::Category::device, [&] { Predictor(test::SmallNetwork(1).make(), broken, {}); }),
              HasSubstr("there is no device"));
}

TEST(Predictor, PreparesPicturesAsTheModelSays) {
  FrozenModel model = test::SmallNetwork(2).make();
  std::vector<std::uint8_t> pixels(9 * 7 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(37 * i);
  const Example example{.shape = {9, 7, 3}, .bytes = std::as_bytes(std::span(pixels))};
  std::vector<float> image(pixels.size()), logits(5);
  image::Preparer (*model.preparation)(example, image);
  const Predictor predictor(model, cpu(), {});
  predictor.pictures({&example, 1}, logits);
  EXPECT_EQ(logits, test::logits_of(model, image));

  const Example small{.shape = {9, 6, 3}, .bytes = std::as_bytes(std::span(pixels).first(9 * 6 * 3))};
  const Example both[] = {example, small};
  std::vector<float> room(10);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { predictor.pictures(both, room); }), HasSubstr("(picture 1 of 2)"));
  model.preparation.reset();
  const Predictor without(model, cpu(), {});
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 without.pictures({&example, 1}, logits);
                               }),
              HasSubstr("does not say how pictures are prepared"));
}

TEST(PictureFile, RefusesWhatIsNoPicture) {
  const std::string text = "no picture";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { predict::picture_bytes(test::bytes_of(text)); }),
              HasSubstr("the bytes are no picture"));
  EXPECT_THAT(test::message_of(Error::Category::data, [] { predict::picture_bytes({}); }), HasSubstr("the picture is empty"));
  EXPECT_THAT(test::message_of(Error::Category::data, [] { predict::picture_file("/"); }), HasSubstr("/"));
}

}  // namespace
}  // namespace qfw

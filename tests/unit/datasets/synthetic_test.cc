#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;

constexpr const char* library = "dataset_synthetic";

std::unique_ptr<Dataset> open(Settings settings = {}) {
  Settings all{{"height", std::int64_t{24}},
               {"width", std::int64_t{32}},
               {"classes", std::int64_t{4}},
               {"train_examples", std::int64_t{60}},
               {"validation_examples", std::int64_t{20}}};
  all.insert(all.end(), settings.begin(), settings.end());
  return test::make_plugin<Dataset>(library, "synthetic", all);
}

TEST(Synthetic, DependsOnSeedSplitAndIndexAlone) {
  const auto a = open(), b = open();
  EXPECT_EQ(a->size("train"), 60);
  EXPECT_EQ(a->size("validation"), 20);
  EXPECT_EQ(a->shape(), (Shape{24, 32, 3}));
  EXPECT_EQ(test::item_of(a->get("train", 7)), test::item_of(b->get("train", 7)));
  EXPECT_NE(test::item_of(a->get("train", 7)), test::item_of(a->get("train", 8)));
  EXPECT_NE(test::item_of(a->get("train", 7)), test::item_of(a->get("validation", 7)));
  EXPECT_NE(test::item_of(a->get("train", 7)), test::item_of(open({{"seed", std::int64_t{1}}})->get("train", 7)));
  std::set<std::int64_t> labels;
  for (int i = 0; i < 60; ++i) labels.insert(a->get("train", i).label);
  EXPECT_EQ(labels, (std::set<std::int64_t>{0, 1, 2, 3}));
}

TEST(Synthetic, IdentityIsThatOfTheOptions) {
  const auto identity = open()->identity("train");
  EXPECT_TRUE(identity.storage) << "nothing can change unnoticed";
  EXPECT_EQ(open()->identity("train").content, identity.content);
  EXPECT_NE(open()->identity("validation").content, identity.content);
  EXPECT_NE(open({{"seed", std::int64_t{1}}})->identity("train").content, identity.content);
  EXPECT_NE(open({{"width", std::int64_t{33}}})->identity("train").content, identity.content);
}

TEST(Synthetic, EncodedOnesDecodeToTheSameSize) {
  image::Decoder decoder;
  for (const char* encoding : {"jpeg", "png"}) {
    const auto dataset = open({{"encoding", std::string(encoding)}});
    const Example example = dataset->get("train", 3);
    EXPECT_EQ(decoder.size(example), (image::Size{24, 32}));
    EXPECT_EQ(example.label, open()->get("train", 3).label);
  }
  const Example png = open({{"encoding", std::string("png")}})->get("train", 3);
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(decoder.decode(png).data), open()->get("train", 3).bytes));
}

TEST(Synthetic, DistinctOnesAreKeptAndRepeated) {
  const auto dataset = open({{"distinct", std::int64_t{5}}});
  EXPECT_EQ(dataset->get("train", 2).bytes.data(), dataset->get("train", 57).bytes.data());
  EXPECT_EQ(test::item_of(dataset->get("train", 2)), test::item_of(open()->get("train", 2)));
}

/// A picture's power at each class's wave tells its class: the nearest of the classes' mean spectra is right far above chance.
TEST(Synthetic, ClassesDiffer) {
  const auto dataset = open({{"channels", std::int64_t{1}}});
  std::vector<std::vector<double>> spectra;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 60; ++i) {
    const Example example = dataset->get("train", i);
    std::vector<double> spectrum;
    for (int v = -8; v < 8; ++v) {
      for (int u = 0; u < 8; ++u) {
        double re = 0, im = 0;
        for (int y = 0; y < 24; ++y) {
          for (int x = 0; x < 32; ++x) {
            const double level = static_cast<double>(example.bytes[static_cast<std::size_t>(y * 32 + x)]) - 128,
                         angle = 6.2831853 * (u * x + v * y) / 32;
            re += level * std::cos(angle);
            im += level * std::sin(angle);
          }
        }
        spectrum.push_back(std::hypot(re, im));
      }
    }
    spectra.push_back(spectrum);
    labels.push_back(example.label);
  }
  std::vector<std::vector<double>> means(4, std::vector<double>(spectra[0].size()));
  std::vector<double> counts(4);
  for (std::size_t i = 0; i < 30; ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    ++counts[label];
    for (std::size_t k = 0; k < spectra[i].size(); ++k) means[label][k] += spectra[i][k];
  }
  int right = 0;
  for (std::size_t i = 30; i < 60; ++i) {
    std::vector<double> distances;
    for (std::size_t label = 0; label < 4; ++label) {
      double distance = 0;
      for (std::size_t k = 0; k < spectra[i].size(); ++k)
        distance += std::pow(spectra[i][k] - means[label][k] / counts[label], 2);
      distances.push_back(distance);
    }
    right += std::ranges::min_element(distances) - distances.begin() == labels[i];
  }
  EXPECT_GE(right, 27);
}

TEST(Synthetic, ChecksWhatItIsAsked) {
  const auto dataset = open();
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { dataset->size("test"); }), HasSubstr("train and validation"));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { dataset->get("train", 60); }), HasSubstr("no example 60"));
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 open({{"channels", std::int64_t{2}}});
                               }),
              HasSubstr("channels is 2"));
}

TEST(FashionMnist, ClassesHaveNames) {
  const auto dataset = test::make_plugin<Dataset>("dataset_fashion_mnist", "fashion_mnist");
  EXPECT_EQ(dataset->class_name(0), "T-shirt/top");
  EXPECT_EQ(dataset->class_name(9), "Ankle boot");
}

}  // namespace
}  // namespace qfw

// What every writer and the data set that reads its form have in common.
#include "support.h"

namespace qfw {
namespace {

using test::Item;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct Pair {
  const char *library, *writer, *dataset, *part_option;
  bool in_order;  ///< examples keep their numbers
};

class Writers : public testing::TestWithParam<Pair> {
 protected:
  Writers() {
    for (int i = 0; i < 8; ++i) {
      source_.items["train"].push_back(test::encoded_item(i, i % 3, "train_" + std::to_string(i) + ".JPEG",
                                                          i == 5 ? Example::Encoding::png : Example::Encoding::jpeg));
    }
    for (int i = 0; i < 3; ++i)
      source_.items["validation"].push_back(test::encoded_item(100 + i, 2 - i, "val_" + std::to_string(i) + ".jpg"));
  }

  void convert(std::int64_t part = 3, const Settings& more = {}) {
    Settings settings{{GetParam().part_option, part}};
    settings.insert(settings.end(), more.begin(), more.end());
    const auto writer = test::make_plugin<DatasetWriter>(GetParam().library, GetParam().writer, settings);
    qfw::convert(source_, *writer, {.folder = folder(), .splits = {"train", "validation"}, .workers = 1});
  }
  std::unique_ptr<Dataset> open() const {
    Settings settings{{"data_dir", folder().string()}};
    if (std::string(GetParam().dataset) == "imagenet_tfds")
      settings.emplace_back("index_dir", (root_.path() / "index").string());
    return test::make_plugin<Dataset>(GetParam().library, GetParam().dataset, settings);
  }
  fs::path folder() const { return root_.path() / "set"; }
  std::vector<Item> expected(const std::string& split) const {
    auto items = source_.items.find(split)->second;
    if (!GetParam().in_order) std::sort(items.begin(), items.end());
    return items;
  }

  test::TemporaryFolder root_;
  test::MemoryDataset source_;
};

TEST_P(Writers, WhatIsWrittenIsReadBack) {
  convert();
  const auto dataset = open();
  EXPECT_EQ(dataset->classes(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(dataset->class_name(i), source_.class_names[static_cast<std::size_t>(i)]);
  EXPECT_THAT(dataset->splits(), testing::UnorderedElementsAre("train", "validation"));
  for (const char* split : {"train", "validation"}) EXPECT_EQ(test::all_of(*dataset, split), expected(split)) << split;
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { dataset->size("holdout"); }),
              testing::AllOf(HasSubstr("holdout"), HasSubstr("train")));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { dataset->get("train", 8); }), HasSubstr("no example 8"));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { dataset->get("train", -1); }), HasSubstr("no example -1"));
  EXPECT_THAT(dataset->place("train", 7), HasSubstr(folder().string()));
}

TEST_P(Writers, PixelsArePutIntoPng) {
  source_.items["train"] = {test::pixel_item(1, 0), test::pixel_item(2, 2), test::pixel_item(3, 2, "x.jpg", 5, 7, 1)};
  convert(3, {{"encoding", std::string("png")}});
  const auto dataset = open();
  ASSERT_EQ(dataset->size("train"), 3);
  image::Decoder decoder;
  for (int i = 0; i < 3; ++i) {
    const Example example = dataset->get("train", i);
    EXPECT_EQ(example.encoding, Example::Encoding::png);
    EXPECT_FALSE(std::string(GetParam().dataset) != "hdf5" && example.name.empty());
    const Item& item = source_.items["train"][static_cast<std::size_t>(i)];
    const Item whole = item.shape[2] == 3 ? item : Item{};
    const image::Pixels found = decoder.decode(example);
    EXPECT_EQ(found.height, item.shape[0]);
    if (whole.shape.rank() == 3) {
      EXPECT_TRUE(std::ranges::equal(std::as_bytes(found.data), whole.bytes)) << i;
    }
  }
}

TEST_P(Writers, GoOnWhereTheyWereStopped) {
  source_.fails_at = 7;
  EXPECT_THROW(convert(), Error);
  source_.fails_at = -1;
  source_.reads = 0;
  convert();
  EXPECT_LE(source_.reads, 3 + 3);  // the last part of train, and validation
  const auto dataset = open();
  EXPECT_EQ(test::all_of(*dataset, "train"), expected("train"));
  for (const auto& entry : fs::recursive_directory_iterator(root_.path())) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("tmp"))) << "left behind";
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("part"))) << "left behind";
  }
}

TEST_P(Writers, AFinishedConversionHasNothingLeftToDo) {
  convert();
  source_.reads = 0;
  convert();
  EXPECT_EQ(source_.reads, 0);
  EXPECT_EQ(test::all_of(*open(), "train"), expected("train"));
}

TEST_P(Writers, AnEmptySplitIsNoObstacle) {
  if (std::string(GetParam().dataset) == "image_folder") GTEST_SKIP() << "a folder without files is taken for a mistake";
  source_.items["validation"].clear();
  convert();
  EXPECT_EQ(open()->size("validation"), 0);
  EXPECT_EQ(open()->size("train"), 8);
}

INSTANTIATE_TEST_SUITE_P(Forms, Writers,
                         testing::Values(Pair{"dataset_imagenet_tfds", "tfds", "imagenet_tfds", "shard_examples", true},
                                         Pair{"dataset_image_folder", "image_folder", "image_folder", "part_examples", false},
                                         Pair{"dataset_hdf5", "hdf5", "hdf5", "part_examples", true}),
                         [](const auto& info) { return std::string(info.param.dataset); });

}  // namespace
}  // namespace qfw

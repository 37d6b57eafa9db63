// What the files beside the shards say, and what imagenet_tfds does where they say something else.
#include "tfds_files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;
namespace json = boost::json;

class TfdsFolders : public test::TfdsFolder {};

TEST_F(TfdsFolders, AreFoundBelowTheDataDir) {
  const std::string root = root_.path().string();
  EXPECT_EQ(open(root, {{"dataset", std::string("zoo")}})->size("train"), 5);
  EXPECT_EQ(open(root, {{"dataset", std::string("zoo")}, {"version", std::string("1.2.0")}})->size("train"), 5);
  EXPECT_THAT(error([&] {
                open(root, {{"dataset", std::string("zoo")}, {"version", std::string("9.0.0")}});
              }),
              HasSubstr("zoo/9.0.0"));
  EXPECT_THAT(error([&] { open(root); }),
              AllOf(HasSubstr("imagenet2012"), HasSubstr("dataset_info.json"), HasSubstr("dataset.data_dir")));
  EXPECT_THAT(error([&] { open(root + "/nowhere"); }), AllOf(HasSubstr("nowhere"), HasSubstr("no such folder")));
}

TEST_F(TfdsFolders, TheNewestVersionIsTaken) {
  for (const char* version : {"1.10.0", "1.9.0", "incomplete"}) {
    const fs::path other = root_.path() / "zoo" / version;
    fs::copy(folder(), other);
    test::store(other / "label.labels.txt", std::string(version) + "\nbee\ncat\n");
  }
  EXPECT_EQ(open(root_.path().string(), {{"dataset", std::string("zoo")}})->class_name(0), "1.10.0");
}

TEST_F(TfdsFolders, HomeIsExpanded) {
  const std::string before = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  setenv("HOME", root_.path().c_str(), 1);
  EXPECT_EQ(open("~/zoo/1.2.0")->size("train"), 5);
  setenv("HOME", before.c_str(), 1);
}

TEST_F(TfdsFolders, TheirClassesHaveNames) {
  const auto dataset = open();
  EXPECT_EQ(dataset->classes(), 3);
  EXPECT_EQ(dataset->class_name(2), "cat");
  fs::remove(folder() / "label.labels.txt");
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("label.labels.txt"), HasSubstr("how many classes")));
}

TEST_F(TfdsFolders, FeaturesMayHaveOtherNames) {
  const auto feature = [](const char* kind, json::object more = {}) {
    more["pythonClassName"] = std::string("tensorflow_datasets.core.features.") + kind;
    return more;
  };
  const auto features = [&](json::object list) {
    test::store(folder() / "features.json", json::serialize(json::object{{"featuresDict", {{"features", std::move(list)}}}}));
  };
  const json::object label = feature("class_label_feature.ClassLabel", {{"classLabel", {{"numClasses", "2"}}}});
  features({{"photo", feature("image_feature.Image")}, {"kind", label}});
  tfds::ExampleBuilder builder;
  builder.add("photo", items_[0].bytes);
  builder.add("kind", std::int64_t{1});
  test::store(shard("test", 0, 1), test::framed(builder.finish()));
  const auto dataset = open();  // no kind.labels.txt: classes are numbered
  EXPECT_EQ(dataset->classes(), 2);
  EXPECT_EQ(dataset->class_name(1), "1");
  const Example example = dataset->get("test", 0);
  EXPECT_EQ(example.label, 1);
  EXPECT_TRUE(example.name.empty());
  EXPECT_TRUE(std::ranges::equal(example.bytes, items_[0].bytes));

  test::store(folder() / "kind.labels.txt", std::string("a\nb\nc\n"));
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("3 classes"), HasSubstr("features.json says 2")));
  features({{"photo", feature("image_feature.Image")}});
  EXPECT_THAT(error([&] { open(); }), HasSubstr("no image classification"));
  test::store(folder() / "features.json", std::string("{]"));
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("features.json"), HasSubstr("not a JSON object")));
}

TEST_F(TfdsFolders, FilesMayBeNamedByATemplate) {
  info({{"name", "zoo"},
        {"splits",
         {{{"name", "test"},
           {"shardLengths", {1}},
           {"filepathTemplate", "{SPLIT}/{DATASET}.{SHARD_INDEX}.{NUM_SHARDS}.{FILEFORMAT}"}}}}});
  fs::create_directory(folder() / "test");
  fs::rename(shard("test", 0, 1), folder() / "test" / "zoo.00000.00001.tfrecord");
  EXPECT_EQ(test::item_of(open()->get("test", 0)), items_[5]);
}

TEST_F(TfdsFolders, EmptyShardsAndSplitsAreAllowed) {
  info({{"name", "zoo"},
        {"splits", {{{"name", "train"}, {"shardLengths", {"0", "2"}}}, {{"name", "none"}, {"shardLengths", json::array()}}}}});
  test::store(shard("train", 0, 2), std::string());
  const auto dataset = open();
  EXPECT_EQ(dataset->size("none"), 0);
  EXPECT_EQ(test::item_of(dataset->get("train", 0)), items_[3]);
  EXPECT_THAT(error([&] { dataset->get("none", 0); }), HasSubstr("no example 0"));
}

TEST_F(TfdsFolders, UnfitInfoIsRefused) {
  const auto message = [&](const std::string& text) {
    test::store(folder() / "dataset_info.json", text);
    return error([&] { open(); });
  };
  EXPECT_THAT(message(""), AllOf(HasSubstr("dataset_info.json"), HasSubstr("not a JSON object")));
  EXPECT_THAT(message("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message("{}"), HasSubstr("names no splits"));
  EXPECT_THAT(message(R"({"splits": [1]})"), HasSubstr("split is no object"));
  EXPECT_THAT(message(R"({"splits": [{"name": "train"}]})"), HasSubstr("no shardLengths"));
  EXPECT_THAT(message(R"({"splits": [{"name": "train", "shardLengths": ["many"]}]})"), HasSubstr("shard length is \"many\""));
  EXPECT_THAT(message(R"({"splits": [{"name": "train", "shardLengths": [-4]}]})"), HasSubstr("shard length is -4"));
  EXPECT_THAT(message(R"({"fileFormat": "riegeli", "splits": [{"name": "train", "shardLengths": [1]}]})"),
              HasSubstr("riegeli"));
}

TEST(TfdsWriter, RefusesNamesThatAreNone) {
  for (const char* name : {"", "a b", "../x", "a-b"}) {
    EXPECT_THAT(
        test::message_of(Error::Category::usage,
                         [&] {
                           test::make_plugin<DatasetWriter>("dataset_imagenet_tfds", "tfds", {{"dataset", std::string(name)}});
                         }),
        HasSubstr("name"));
  }
}

}  // namespace
}  // namespace qfw

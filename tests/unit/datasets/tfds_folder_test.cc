// What the files beside the shards say, and what imagenet_tfds does where they say something else.
#include <sys/stat.h>

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

TEST_F(TfdsFolders, ATakenVersionIsSaidWhereThereAreSeveral) {
  const std::string root = root_.path().string();
  EXPECT_THAT(open(root + "/zoo")->notes("train"), testing::IsEmpty());
  fs::copy(folder(), root_.path() / "zoo" / "1.10.0");
  EXPECT_THAT(
      open(root + "/zoo")->notes("train"),
      ElementsAre(AllOf(HasSubstr("versions 1.2.0, 1.10.0"), HasSubstr("1.10.0 is taken"), HasSubstr("dataset.version"))));
  EXPECT_THAT(open(root + "/zoo", {{"version", std::string("1.2.0")}})->notes("train"), testing::IsEmpty());
  EXPECT_THAT(error([&] {
                open(root + "/zoo", {{"version", std::string("2.0.0")}});
              }),
              AllOf(HasSubstr("zoo/2.0.0"), HasSubstr("there are: 1.2.0, 1.10.0")));
}

TEST_F(TfdsFolders, ConfigurationsAreFoundOrNamed) {
  const std::string root = root_.path().string();
  const fs::path family = root_.path() / "sized" / "small";
  fs::create_directories(family);
  fs::copy(folder(), family / "1.2.0");
  EXPECT_EQ(open(root, {{"dataset", std::string("sized")}})->size("train"), 5) << "the only one";
  EXPECT_EQ(open(root + "/sized")->size("train"), 5) << "the data set's folder";
  EXPECT_EQ(open(family.string())->size("train"), 5) << "the configuration's";
  EXPECT_EQ(open(root, {{"dataset", std::string("sized/small")}})->size("train"), 5) << "as TFDS writes it";
  fs::copy(family, root_.path() / "sized" / "large", fs::copy_options::recursive);
  const auto several = AllOf(HasSubstr("several configurations: large, small"), HasSubstr("dataset.config"));
  EXPECT_THAT(error([&] { open(root + "/sized"); }), several);
  EXPECT_THAT(error([&] { open(root, {{"dataset", std::string("sized")}}); }), several);
  EXPECT_EQ(open(root, {{"dataset", std::string("sized")}, {"config", std::string("large")}})->size("train"), 5);
  EXPECT_EQ(open(root + "/sized", {{"config", std::string("small")}, {"version", std::string("1.2.0")}})->size("train"), 5);
  EXPECT_THAT(error([&] {
                open(root + "/sized", {{"config", std::string("medium")}});
              }),
              AllOf(HasSubstr("no such configuration"), HasSubstr("large, small")));
}

TEST_F(TfdsFolders, AnotherDataSetIsNotTakenForTheOneAskedFor) {
  EXPECT_THAT(error([&] { open(root_.path().string()); }),
              AllOf(HasSubstr("no data set imagenet2012"), HasSubstr("there are: zoo"), HasSubstr("dataset.dataset")));
  const fs::path empty = root_.path() / "empty";
  fs::create_directories(empty / "imagenet2012" / "5.1.0.incompleteXYZ");
  EXPECT_THAT(error([&] { open(empty.string()); }), HasSubstr("in it lies: 5.1.0.incompleteXYZ"));
  EXPECT_THAT(error([&] { open((folder() / "dataset_info.json").string()); }), HasSubstr("it is a file, not a folder"));
}

TEST_F(TfdsFolders, OneOfSeveralFeaturesIsChosen) {
  const auto write = [&](const std::vector<std::string>& images, const std::vector<std::string>& labels) {
    json::object all{{"boxes", {{"pythonClassName", "tensorflow_datasets.core.features.sequence_feature.Sequence"}}}};
    for (const std::string& name : images) all[name] = {{"pythonClassName", "x.image_feature.Image"}};
    int count = 2;
    for (const std::string& name : labels)
      all[name] = {{"pythonClassName", "x.ClassLabel"}, {"classLabel", {{"numClasses", std::to_string(++count)}}}};
    test::store(folder() / "features.json", json::serialize(json::object{{"featuresDict", {{"features", std::move(all)}}}}));
  };
  tfds::ExampleBuilder builder;
  builder.add("image", items_[0].bytes);
  builder.add("image/depth", items_[1].bytes);
  builder.add("label", std::int64_t{2});
  builder.add("coarse", std::int64_t{3});
  test::store(shard("test", 0, 1), test::framed(builder.finish()));

  write({"image", "image/depth"}, {"label", "coarse"});
  EXPECT_EQ(open()->classes(), 3) << "the usual names";
  EXPECT_EQ(open()->get("test", 0).label, 2);
  const auto other = open({{"label", std::string("coarse")}, {"image", std::string("image/depth")}});
  EXPECT_EQ(other->classes(), 4);
  const Example example = other->get("test", 0);
  EXPECT_EQ(example.label, 3);
  EXPECT_TRUE(std::ranges::equal(example.bytes, items_[1].bytes));
  EXPECT_NE(other->identity("test").content, open()->identity("test").content);
  EXPECT_THAT(error([&] {
                open({{"label", std::string("breed")}});
              }),
              AllOf(HasSubstr("no class label 'breed'"), HasSubstr("dataset.label among: label, coarse")));

  write({"left", "right"}, {"label"});
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("more than one image: left, right"), HasSubstr("dataset.image")));
  write({"image"}, {"genus", "species"});
  EXPECT_THAT(error([&] { open(); }),
              AllOf(HasSubstr("more than one class label: genus, species"), HasSubstr("dataset.label")));
  write({"image"}, {});
  EXPECT_THAT(error([&] { open(); }),
              AllOf(HasSubstr("there is no class label"), HasSubstr("boxes (Sequence), image (Image)")));
}

TEST_F(TfdsFolders, WhatIsNoJsonIsToldWithItsPlace) {
  const auto message = [&](const char* file, const std::string& text) {
    test::store(folder() / file, text);
    return error([&] { open(); });
  };
  EXPECT_THAT(message("features.json", "{\n  \"a\": nothing}"),
              AllOf(HasSubstr("features.json"), HasSubstr("line 2, column 8")));
  EXPECT_THAT(message("features.json", "{\n"), HasSubstr("ends early in line 2, column 1"));
  EXPECT_THAT(message("features.json", "<!DOCTYPE html><html>"), HasSubstr("a web page (HTML)"));
  fs::remove(folder() / "features.json");
  ASSERT_EQ(mkfifo((folder() / "features.json").c_str(), 0600), 0);
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("features.json"), HasSubstr("it is a pipe")));
}

TEST_F(TfdsFolders, TheirIdentityIsThatOfTheirFiles) {
  const auto identity = [&](const char* split) { return open()->identity(split); };
  const auto before = identity("train"), test_before = identity("test");
  EXPECT_NE(before.content, test_before.content);
  EXPECT_EQ(identity("train").content, before.content);
  EXPECT_EQ(identity("train").storage, before.storage);

  const std::string bytes = test::contents(shard("train", 1, 2));
  test::store(root_.path() / "new", bytes);
  fs::rename(root_.path() / "new", shard("train", 1, 2));  // the same, stored anew
  EXPECT_EQ(identity("train").content, before.content);
  EXPECT_NE(identity("train").storage, before.storage);
  EXPECT_EQ(identity("test").storage, test_before.storage) << "another split's files";

  test::store(folder() / "label.labels.txt", std::string("ant\nbee\ncow\n"));
  EXPECT_NE(identity("train").content, before.content);
  test::store(folder() / "label.labels.txt", std::string("ant\nbee\ncat\n"));
  test::store(shard("train", 1, 2), bytes + test::framed(test::record(items_[0])));
  EXPECT_NE(identity("train").content, before.content) << "a size";
  const fs::path copy = root_.path() / "copy";
  test::store(shard("train", 1, 2), bytes);
  fs::copy(folder(), copy);
  EXPECT_EQ(open(copy.string())->identity("train").content, before.content) << "a copy elsewhere";
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

TEST_F(TfdsFolders, ClassNamesMayHaveAnySystemsLineEnds) {
  for (const std::string& text : {std::string("ant\r\nbee\r\ncat\r\n"),
                                  std::string("\xef\xbb\xbf"
                                              "ant\nbee\ncat"),
                                  std::string("\xef\xbb\xbf"
                                              "ant\r\n\r\nbee\r\ncat")}) {
    test::store(folder() / "label.labels.txt", text);
    const auto dataset = open();
    ASSERT_EQ(dataset->classes(), 3);
    EXPECT_EQ(dataset->class_name(0), "ant");
    EXPECT_EQ(dataset->class_name(2), "cat");
  }
}

TEST_F(TfdsFolders, MillionsOfClassesAreRefused) {
  const auto features = [&](int classes) {
    const json::object label{{"pythonClassName", "x.ClassLabel"}, {"classLabel", {{"numClasses", std::to_string(classes)}}}},
        image{{"pythonClassName", "x.Image"}};
    test::store(folder() / "features.json",
                json::serialize(json::object{{"featuresDict", {{"features", {{"image", image}, {"label", label}}}}}}));
  };
  fs::remove(folder() / "label.labels.txt");
  features(1 << 20);
  EXPECT_EQ(open()->class_name(1 << 19), "524288");
  features((1 << 20) + 1);
  EXPECT_THAT(error([&] { open(); }), HasSubstr("the number of classes is \"1048577\""));
  fs::remove(folder() / "features.json");
  std::string names;
  for (int i = 0; i <= 1 << 20; ++i) names += "a\n";
  test::store(folder() / "label.labels.txt", names);
  EXPECT_THAT(error([&] { open(); }), AllOf(HasSubstr("label.labels.txt"), HasSubstr("1048577 classes")));
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

TEST(TfdsWriter, RefusesClassNamesThatAreNoLine) {
  const test::TemporaryFolder folder;
  const auto writer = test::make_plugin<DatasetWriter>("dataset_imagenet_tfds", "tfds", {});
  const auto message = [&](const std::string& name) {
    return test::message_of(Error::Category::data, [&] {
      writer->begin({.folder = folder.path() / "set", .splits = {}, .class_names = {"ant", name}});
    });
  };
  EXPECT_THAT(message(""), AllOf(HasSubstr("class 1 is empty"), HasSubstr("rename")));
  for (const char* name : {"a\nb", "a\r", "\n"}) EXPECT_THAT(message(name), HasSubstr("class 1 holds a line break"));
  EXPECT_FALSE(fs::exists(folder.path() / "set"));
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

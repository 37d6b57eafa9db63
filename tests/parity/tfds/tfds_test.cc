// The small data set that TensorFlow Datasets wrote (tests/golden/README.md, tfds/), record by record.
#include <gtest/gtest.h>
#include <zlib.h>

#include <boost/json.hpp>
#include <map>

#include "io/json.h"
#include "qfw/image.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/plugin.h"

namespace qfw {
namespace {

namespace json = boost::json;

class GoldenTfds : public testing::Test {
 protected:
  static std::filesystem::path folder() { return golden::folder() / "tfds"; }

  std::unique_ptr<Dataset> open(const std::filesystem::path& data_dir) const {
    return test::make_plugin<Dataset>("dataset_imagenet_tfds", "imagenet_tfds",
                                      {{"data_dir", data_dir.string()}, {"index_dir", (temporary_.path() / "index").string()}});
  }

  test::TemporaryFolder temporary_;
  const json::value expected_ = read_json(folder() / "expected.json");
};

TEST_F(GoldenTfds, EveryRecordAgrees) {
  for (int pass = 0; pass < 2; ++pass) {  // without an index, and with the one that the first pass left
    const auto dataset = open(folder());
    for (const std::string& split : dataset->splits()) {
      const json::array& records = expected_.at(split).as_array();
      ASSERT_EQ(dataset->size(split), static_cast<std::int64_t>(records.size()));
      ASSERT_GT(records.size(), 0u);
      for (std::size_t i = 0; i < records.size(); ++i) {
        const json::object& record = records[i].as_object();
        const Example example = dataset->get(split, static_cast<std::int64_t>(i));
        const std::string kind(record.at("kind").as_string());
        EXPECT_EQ(example.name, std::string_view(record.at("file_name").as_string())) << split << ' ' << i;
        EXPECT_EQ(example.label, record.at("label").as_int64());
        EXPECT_EQ(example.bytes.size(), record.at("image_bytes").to_number<std::size_t>());
        EXPECT_EQ(crc32(0, reinterpret_cast<const Bytef*>(example.bytes.data()), static_cast<uInt>(example.bytes.size())),
                  record.at("image_crc32").to_number<std::uint64_t>());
        EXPECT_EQ(example.encoding, kind == "png" ? Example::Encoding::png : Example::Encoding::jpeg);
        const std::string shard = "-0000" + std::to_string(record.at("shard").as_int64()) + "-of-";
        EXPECT_NE(dataset->place(split, static_cast<std::int64_t>(i)).find(shard), std::string::npos);
      }
    }
  }
}

TEST_F(GoldenTfds, EveryPictureDecodesToItsSize) {
  const auto dataset = open(folder());
  image::Decoder decoder;
  std::map<std::string, int> kinds;
  for (const std::string& split : dataset->splits()) {
    const json::array& records = expected_.at(split).as_array();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const json::object& record = records[i].as_object();
      ++kinds[std::string(record.at("kind").as_string())];
      const image::Pixels pixels = decoder.decode(dataset->get(split, static_cast<std::int64_t>(i)));
      EXPECT_EQ(pixels.height, record.at("height").as_int64()) << split << ' ' << i;
      EXPECT_EQ(pixels.width, record.at("width").as_int64()) << split << ' ' << i;
    }
  }
  EXPECT_GE(kinds.size(), 4u) << "grey, progressive, CMYK and PNG ones are what this is about";
}

TEST_F(GoldenTfds, ClassesAndFoldersAreFound) {
  const auto dataset = open(folder());
  EXPECT_EQ(dataset->classes(), 1000);
  EXPECT_EQ(dataset->class_name(0).size(), 9u);  // a WordNet number
  std::filesystem::path version;
  for (const auto& entry : std::filesystem::directory_iterator(folder() / "imagenet2012")) version = entry.path();
  EXPECT_EQ(open(version)->size("train"), dataset->size("train"));
}

}  // namespace
}  // namespace qfw

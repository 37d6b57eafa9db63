#include "qfw/onnx/check.h"

#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "onnx.pb.h"
#include "qfw/builder.h"
#include "qfw/error.h"
#include "qfw/onnx/pixels.h"
#include "qfw/ops.h"
#include "support/files.h"

namespace qfw::onnx {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

image::Preparation colours() { return {.height = 1, .width = 2, .channels = 3, .mean = {0.5, 0.25, 0}, .stddev = {0.5, 1, 2}}; }

std::vector<int> taken(const image::Preparation& preparation, const std::vector<float>& images) {
  std::vector<std::byte> pixels(images.size());
  EXPECT_EQ(Pixels(preparation).take(images, pixels), std::nullopt);
  std::vector<int> numbers;
  for (const std::byte pixel : pixels) numbers.push_back(static_cast<int>(pixel));
  return numbers;
}

TEST(OnnxPixels, AreThoseThatAnImageWasMadeOf) {
  const auto tables = image::tables_of(colours());
  const std::vector<float> images{tables[0][0], tables[1][255], tables[2][7], tables[0][9], tables[1][1], tables[2][200]};
  EXPECT_THAT(taken(colours(), images), ElementsAre(0, 255, 7, 9, 1, 200));
  EXPECT_EQ(Pixels(colours()).channels(), 3);
}

TEST(OnnxPixels, StandInTheOrderOfPicturesWhereTheNetworkReadsBlueFirst) {
  image::Preparation blue_first = colours();
  blue_first.bgr = true;
  const auto tables = image::tables_of(blue_first);
  const std::vector<float> images{tables[0][1], tables[1][2], tables[2][3], tables[0][4], tables[1][5], tables[2][6]};
  EXPECT_THAT(taken(blue_first, images), ElementsAre(3, 2, 1, 6, 5, 4));
}

TEST(OnnxPixels, AValueBetweenTwoPixelsIsTold) {
  const auto tables = image::tables_of(colours());
  std::vector<float> images{tables[0][0], (tables[1][3] + tables[1][4]) / 2, tables[2][0]};
  std::vector<std::byte> pixels(3);
  EXPECT_EQ(Pixels(colours()).take(images, pixels), std::size_t{1});
}

class OnnxCheck : public testing::Test {
 protected:
  OnnxCheck() {
    GraphBuilder g({});
    const Value input = g.input("images", {{2, 1, 2, 3}});
    const Value logits = reshape(sum_to(input, {2, 1, 1, 3}), {2, 3});
    model_.graph = g.graph();
    model_.graph.fetches = {{"logits", {logits.node(), 0}}};
    model_.preparation = colours();
    const auto tables = image::tables_of(colours());
    for (std::size_t i = 0; i < images_.size(); ++i) images_[i] = tables[i % 3][i];
    for (std::size_t i = 0; i < logits_.size(); ++i) logits_[i] = static_cast<float>(i);
  }

  void write(const WriteOptions& options) const {
    write_check(model_, options, {{{3, 1, 2, 3}, DType::f32}, std::as_bytes(std::span(images_))},
                {{{3, 3}, DType::f32}, std::as_bytes(std::span(logits_))}, folder_.path());
  }
  pb::TensorProto read(const std::string& file) const {
    std::ifstream stream(folder_.path() / file, std::ios::binary);
    pb::TensorProto tensor;
    EXPECT_TRUE(tensor.ParseFromString({std::istreambuf_iterator<char>(stream), {}})) << file;
    return tensor;
  }
  static std::vector<float> floats(const pb::TensorProto& tensor) {
    std::vector<float> values(tensor.raw_data().size() / sizeof(float));
    std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
    return values;
  }

  test::TemporaryFolder folder_;
  FrozenModel model_;
  std::vector<float> images_ = std::vector<float>(18), logits_ = std::vector<float>(9);
};

TEST_F(OnnxCheck, HoldsImagesInTheModelsLayoutAndTheirLogits) {
  write({});
  const pb::TensorProto input = read("test_data_set_0/input_0.pb"), output = read("test_data_set_0/output_0.pb");
  EXPECT_EQ(input.name(), "images");
  EXPECT_THAT(input.dims(), ElementsAre(3, 3, 1, 2));
  const auto turned = floats(input);
  EXPECT_THAT(std::vector<float>(turned.begin(), turned.begin() + 6),
              ElementsAre(images_[0], images_[3], images_[1], images_[4], images_[2], images_[5]));
  EXPECT_EQ(output.name(), "logits");
  EXPECT_THAT(output.dims(), ElementsAre(3, 3));
  EXPECT_EQ(floats(output), logits_);
}

TEST_F(OnnxCheck, HasADataSetForEachWholeBatchOfAFixedOne) {
  write({.nhwc = true, .batch = 1});
  for (int set = 0; set < 3; ++set) {
    const auto name = "test_data_set_" + std::to_string(set);
    EXPECT_THAT(read(name + "/input_0.pb").dims(), ElementsAre(1, 1, 2, 3));
    EXPECT_EQ(floats(read(name + "/output_0.pb")).front(), logits_[static_cast<std::size_t>(3 * set)]);
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "test_data_set_3"));
}

TEST_F(OnnxCheck, LeavesOutWhatFillsNoBatchAndRefusesLessThanOne) {
  write({.batch = 2});
  EXPECT_FALSE(fs::exists(folder_.path() / "test_data_set_1"));
  try {
    write({.batch = 4});
    FAIL() << "three images are no batch of four";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::usage);
    EXPECT_THAT(error.what(), HasSubstr("too few images (3) for a model of batches of 4"));
  }
}

TEST_F(OnnxCheck, HoldsPixelsWhereTheModelTakesThem) {
  write({.pixels = true});
  const pb::TensorProto input = read("test_data_set_0/input_0.pb");
  EXPECT_EQ(input.name(), "pixels");
  EXPECT_THAT(input.dims(), ElementsAre(3, 1, 2, 3));
  ASSERT_EQ(input.raw_data().size(), 18u);
  for (std::size_t i = 0; i < 18; ++i) EXPECT_EQ(input.raw_data()[i], static_cast<char>(i));
}

}  // namespace
}  // namespace qfw::onnx

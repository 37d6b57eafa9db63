#include <gmock/gmock.h>

#include <fstream>
#include <memory>
#include <thread>

#include "qfw/image.h"
#include "qfw_predict.h"
#include "support.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Close {
  void operator()(qfw_model* model) const { qfw_model_close(model); }
};
using Model = std::unique_ptr<qfw_model, Close>;

class CApi : public ::testing::Test {
 protected:
  Model open(const char* backend = nullptr, std::int32_t batch = 0, std::int32_t lanes = 0) {
    const qfw_options options{.size = sizeof(qfw_options), .backend = backend, .threads = 1, .batch = batch, .lanes = lanes};
    char error[300];
    Model model(qfw_model_open_bytes(file_.data(), file_.size(), &options, error, sizeof error));
    EXPECT_NE(model, nullptr) << error;
    EXPECT_STREQ(error, "");
    return model;
  }
  std::string refusal(const void* bytes, std::size_t size, const qfw_options* options) {
    char error[400];
    EXPECT_EQ(qfw_model_open_bytes(bytes, size, options, error, sizeof error), nullptr);
    EXPECT_STREQ(error, qfw_last_error());
    return error;
  }

  FrozenModel network_ = test::SmallNetwork(2).make();
  std::string file_ = test::written(network_);
};

TEST_F(CApi, TellsWhatAModelIs) {
  const Model model = open("reference", 7, 2);
  qfw_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(qfw_model_info(model.get(), &info), QFW_OK);
  EXPECT_EQ(info.height, 9);
  EXPECT_EQ(info.width, 7);
  EXPECT_EQ(info.channels, 3);
  EXPECT_EQ(info.classes, 5);
  EXPECT_STREQ(info.labels[1], "coat \"long\"");
  EXPECT_STREQ(info.form, "exact");
  EXPECT_STREQ(info.guarantee, "equal: a test");
  EXPECT_THAT(info.backend, StartsWith("reference"));
  EXPECT_EQ(info.takes_pictures, 1);
  EXPECT_EQ(info.any_size, 0);
  EXPECT_EQ(info.batch, 7);
  EXPECT_EQ(info.lanes, 2);

  // A caller of an older header gets what it has room for.
  qfw_info older = {};
  older.size = offsetof(qfw_info, classes);
  older.classes = -1;
  ASSERT_EQ(qfw_model_info(model.get(), &older), QFW_OK);
  EXPECT_EQ(older.width, 7);
  EXPECT_EQ(older.classes, -1);
  info.size = 0;
  EXPECT_EQ(qfw_model_info(model.get(), &info), QFW_ERROR_USAGE);
}

TEST_F(CApi, PredictsTheSameBitsOnBothBackends) {
  const auto images = test::small_images(9);
  const auto expected = test::logits_of(network_, images);
  for (const char* backend : {"cpu", "reference"}) {
    const Model model = open(backend);
    std::vector<float> logits(expected.size());
    ASSERT_EQ(qfw_predict_floats(model.get(), images.data(), 9, logits.data()), QFW_OK) << qfw_last_error();
    EXPECT_EQ(logits, expected) << backend;
    EXPECT_EQ(qfw_predict_floats(model.get(), nullptr, 0, nullptr), QFW_OK);
  }
}

TEST_F(CApi, TakesPicturesAsPixelsFilesAndBytes) {
  constexpr std::size_t row = 7 * 3, stride = 32;
  std::vector<std::uint8_t> dense(9 * row), spread(9 * stride, 0xee);
  for (std::size_t i = 0; i < dense.size(); ++i) dense[i] = static_cast<std::uint8_t>(91 * i);
  for (std::size_t y = 0; y < 9; ++y) std::copy_n(&dense[y * row], row, &spread[y * stride]);
  std::vector<float> image(dense.size());
  image::Preparer (*network_.preparation)({.shape = {9, 7, 3}, .bytes = std::as_bytes(std::span(dense))}, image);
  const auto expected = test::logits_of(network_, image);
  const Model model = open();
  const qfw_picture pictures[] = {{dense.data(), 9, 7, 3, 0}, {spread.data(), 9, 7, 3, stride}};
  std::vector<float> logits(10);
  ASSERT_EQ(qfw_predict_pixels(model.get(), pictures, 2, logits.data()), QFW_OK) << qfw_last_error();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits.begin()));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits.begin() + 5));

  const auto png = image::encode_png({9, 7, 3, dense});
  std::vector<float> of_bytes(5), of_file(5);
  ASSERT_EQ(qfw_predict_encoded(model.get(), png.data(), png.size(), of_bytes.data()), QFW_OK) << qfw_last_error();
  EXPECT_EQ(of_bytes, expected);
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "p.png";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  ASSERT_EQ(qfw_predict_file(model.get(), path.c_str(), of_file.data()), QFW_OK) << qfw_last_error();
  EXPECT_EQ(of_file, expected);

  EXPECT_EQ(qfw_predict_file(model.get(), "/nowhere.png", of_file.data()), QFW_ERROR_DATA);
  EXPECT_THAT(qfw_last_error(), HasSubstr("/nowhere.png"));
  EXPECT_EQ(qfw_predict_encoded(model.get(), png.data(), png.size() / 2, of_bytes.data()), QFW_ERROR_DATA);
  const qfw_picture narrow{dense.data(), 9, 7, 3, 20}, none{nullptr, 9, 7, 3, 0}, empty{dense.data(), 0, 7, 3, 0},
      huge{dense.data(), 1 << 30, 1 << 30, 1 << 30, 0}, other{dense.data(), 9, 6, 3, 0};
  for (const qfw_picture& wrong : {narrow, none, empty, huge}) {
    EXPECT_EQ(qfw_predict_pixels(model.get(), &wrong, 1, of_file.data()), QFW_ERROR_USAGE);
    EXPECT_STRNE(qfw_last_error(), "");
  }
  EXPECT_EQ(qfw_predict_pixels(model.get(), &other, 1, of_file.data()), QFW_ERROR_DATA);
  EXPECT_THAT(qfw_last_error(), HasSubstr("the image is [9, 6, 3]"));
}

TEST_F(CApi, MisuseIsAnErrorAndNoCrash) {
  qfw_options options = {};
  EXPECT_THAT(refusal(file_.data(), file_.size(), &options), HasSubstr("qfw_options.size is 0"));
  options.size = sizeof options + 8;
  EXPECT_THAT(refusal(file_.data(), file_.size(), &options), HasSubstr("this library knows"));
  options.size = sizeof options;
  options.backend = "cuda";
  EXPECT_THAT(refusal(file_.data(), file_.size(), &options), HasSubstr("there are cpu and reference"));
  options.backend = nullptr;
  options.batch = -1;
  EXPECT_THAT(refusal(file_.data(), file_.size(), &options), HasSubstr("batch is -1"));
  EXPECT_THAT(refusal(nullptr, 3, nullptr), HasSubstr("null pointer"));
  EXPECT_THAT(refusal("text", 4, nullptr), HasSubstr("no ONNX file"));
  EXPECT_EQ(qfw_model_open(nullptr, nullptr, nullptr, 0), nullptr);
  EXPECT_EQ(qfw_model_open("/no/such/file", nullptr, nullptr, 0), nullptr);
  EXPECT_THAT(qfw_last_error(), HasSubstr("/no/such/file"));
  char cut[8];
  EXPECT_EQ(qfw_model_open("/no/such/file", nullptr, cut, sizeof cut), nullptr);
  EXPECT_EQ(std::string(cut), std::string(qfw_last_error()).substr(0, 7));

  const Model model = open();
  float logits[5];
  const auto images = test::small_images(1);
  EXPECT_EQ(qfw_predict_floats(nullptr, images.data(), 1, logits), QFW_ERROR_USAGE);
  EXPECT_EQ(qfw_predict_floats(model.get(), nullptr, 1, logits), QFW_ERROR_USAGE);
  EXPECT_EQ(qfw_predict_floats(model.get(), images.data(), 1, nullptr), QFW_ERROR_USAGE);
  EXPECT_EQ(qfw_predict_floats(model.get(), images.data(), SIZE_MAX / 2, logits), QFW_ERROR_USAGE);
  EXPECT_STRNE(qfw_last_error(), "");
  EXPECT_EQ(qfw_predict_floats(model.get(), images.data(), 1, logits), QFW_OK);
  EXPECT_STREQ(qfw_last_error(), "");
  EXPECT_EQ(qfw_top(nullptr, 5, 1, nullptr), 0u);
  qfw_model_close(nullptr);
}

TEST_F(CApi, ErrorsAreEachThreadsOwn) {
  EXPECT_EQ(qfw_model_open(nullptr, nullptr, nullptr, 0), nullptr);
  std::thread([] { EXPECT_STREQ(qfw_last_error(), ""); }).join();
  EXPECT_THAT(qfw_last_error(), HasSubstr("null pointer"));
}

TEST_F(CApi, ServesSeveralThreadsAtOnce) {
  const auto images = test::small_images(10);
  const auto expected = test::logits_of(network_, images);
  const Model model = open("cpu", 4, 2);
  std::vector<std::thread> callers;
  std::vector<int> equal(4);
  for (std::size_t caller = 0; caller < equal.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 20; ++i) {
        std::vector<float> logits(expected.size());
        equal[caller] += qfw_predict_floats(model.get(), images.data(), 10, logits.data()) == QFW_OK && logits == expected;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(equal, ::testing::Each(20));
}

TEST_F(CApi, TopTakesNoMoreThanThereAre) {
  const float logits[] = {0, 2, 2};
  qfw_score scores[5];
  ASSERT_EQ(qfw_top(logits, 3, 5, scores), 3u);
  EXPECT_EQ(scores[0].class_index, 1);
  EXPECT_EQ(scores[1].class_index, 2);
  EXPECT_EQ(scores[2].class_index, 0);
  EXPECT_STREQ(qfw_predict_version(), "0.1.0");
}

}  // namespace
}  // namespace qfw

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "models.h"
#include "qfw/error.h"

namespace qfw::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(OnnxMetadata, SaysWhatTheModelSaysBesideItsGraph) {
  const auto found = parts_of(small_model()).metadata();
  EXPECT_EQ(found.at("qfw.form"), "exact");
  EXPECT_EQ(found.at("qfw.version"), "1.2.3");
  EXPECT_EQ(found.at("qfw.recipe"), "[model]\nname = small\n");
  EXPECT_EQ(found.at("qfw.checkpoint"), "00ff");
  EXPECT_EQ(found.at("qfw.step"), "60");
  EXPECT_EQ(found.at("qfw.phase"), "all");
  EXPECT_THAT(found.at("qfw.guarantee"), StartsWith("equal"));

  const auto preparation = boost::json::parse(found.at("qfw.preparation")).as_object();
  EXPECT_EQ(preparation.at("fit").as_string(), "exact");
  EXPECT_EQ(preparation.at("height").to_number<int>(), 4);
  EXPECT_EQ(preparation.at("mean").as_array().at(0).to_number<double>(), 0.5);
  EXPECT_FALSE(preparation.at("bgr").as_bool());
  EXPECT_EQ(preparation.size(), 9u);

  const auto labels = boost::json::parse(found.at("qfw.labels")).as_array();
  EXPECT_EQ(labels.at(2).as_string(), "a \"bird\"");
  const auto grids = boost::json::parse(found.at("qfw.grids")).as_object();
  ASSERT_EQ(grids.size(), 4u);
  std::vector<double> conv;
  for (const auto& each : grids.at("conv").as_array()) conv.push_back(each.to_number<double>());
  EXPECT_EQ(conv, (std::vector<double>{-7, 7, -7, 7}));
}

TEST(OnnxMetadata, LeavesOutWhatTheModelDoesNotKnow) {
  FrozenModel model = small_model();
  model.preparation.reset();
  model.labels.clear();
  const auto found = parts_of(model).metadata();
  EXPECT_FALSE(found.contains("qfw.preparation"));
  EXPECT_FALSE(found.contains("qfw.labels"));
}

TEST(OnnxMetadata, NotesCountLast) {
  const auto found = parts_of(small_model(), {}, {{"guarantee", "equal: proven"}, {"images", "500"}}).metadata();
  EXPECT_EQ(found.at("qfw.guarantee"), "equal: proven");
  EXPECT_EQ(found.at("qfw.images"), "500");
}

TEST(OnnxMetadata, IsUtf8WhateverTheLabels) {
  FrozenModel model = small_model();
  model.labels = {"gr\xfcn", "gr\xc3\xbcn", "new\nline \xed\xa0\x80"};
  const auto labels = boost::json::parse(parts_of(model).metadata().at("qfw.labels")).as_array();
  EXPECT_EQ(labels.at(0).as_string(), "gr\\xfcn");
  EXPECT_EQ(labels.at(1).as_string(), "gr\xc3\xbcn");
  EXPECT_EQ(labels.at(2).as_string(), "new\nline \\xed\\xa0\\x80");
}

TEST(OnnxMetadata, CloseFormsSayWhy) {
  const auto found = parts_of(small_model(), {.form = onnx::Form::qdq}).metadata();
  EXPECT_EQ(found.at("qfw.form"), "qdq");
  EXPECT_THAT(found.at("qfw.guarantee"), StartsWith("close: "));
}

TEST(OnnxMetadata, TheFileNamesItsOpset) {
  for (const auto& [opset, version] : {std::pair(13, 8), std::pair(21, 10), std::pair(25, 13)}) {
    const Parts file = parts_of(small_model(), {.opset = opset});
    EXPECT_EQ(file.file.ir_version(), version);
    EXPECT_EQ(file.file.opset_import(0).version(), opset);
    EXPECT_EQ(file.file.producer_name(), "qfw");
  }
}

TEST(OnnxExporter, NamesItsRuntimeAndTheWaysThatMustAgree) {
  const auto exporter = make<Exporter>("onnx");
  EXPECT_THAT(exporter->extensions(), ::testing::ElementsAre("onnx"));
  const Exporter::Runtime runtime = exporter->runtime();
  EXPECT_EQ(runtime.backend, "onnxruntime");
  ASSERT_EQ(runtime.ways.size(), 8u);
  EXPECT_EQ(runtime.ways[0], (std::vector<std::pair<std::string, std::string>>{{"level", "disable_all"}, {"threads", "1"}}));
  EXPECT_EQ(runtime.ways[7], (std::vector<std::pair<std::string, std::string>>{{"level", "all"}, {"threads", "2"}}));
}

}  // namespace
}  // namespace qfw::testing

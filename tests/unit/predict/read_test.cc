#include "qfw/onnx/read.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "onnx.pb.h"
#include "predict/model_file.h"
#include "support.h"
#include "support/files.h"
#include "support/mutate.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
namespace pb = onnx::pb;

FrozenModel small() { return test::SmallNetwork(2).make(); }

pb::ModelProto parsed(const std::string& bytes) {
  pb::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

pb::NodeProto& node_with(pb::ModelProto& model, const std::string& op) {
  for (pb::NodeProto& node : *model.mutable_graph()->mutable_node()) {
    if (node.op_type() == op) return node;
  }
  throw std::runtime_error("there is no " + op);
}

std::string refusal(const pb::ModelProto& model) {
  return test::message_of(Error::Category::data, [&] { onnx::read(test::bytes_of(model.SerializeAsString()), 1); });
}

struct Way {
  const char* name;
  onnx::WriteOptions options;
};

class ReadForms : public ::testing::TestWithParam<Way> {};

TEST_P(ReadForms, HaveTheBitsOfWhatWasWritten) {
  const FrozenModel model = small();
  const FrozenModel found = onnx::read(test::bytes_of(test::written(model, GetParam().options)), 3);
  EXPECT_EQ(found.batch(), 3);
  EXPECT_EQ(found.image(), model.image());
  const auto images = test::small_images(6);
  const auto expected = test::logits_of(model, images);
  EXPECT_EQ(test::logits_of(found, images), expected);
  EXPECT_EQ(test::logits_of(found, images, "cpu"), expected);
}

INSTANTIATE_TEST_SUITE_P(Options, ReadForms,
                         ::testing::Values(Way{"defaults", {}}, Way{"opset13", {.opset = 13}}, Way{"opset25", {.opset = 25}},
                                           Way{"unpacked", {.packed = false}}, Way{"pixels", {.pixels = true}},
                                           Way{"nhwc", {.nhwc = true}}, Way{"batch", {.batch = 4}}),
                         [](const auto& info) { return info.param.name; });

TEST(ReadModel, SaysWhatWasSaidBesideTheGraph) {
  const FrozenModel model = small();
  const std::string bytes = test::written(model);
  const predict::ModelFile file = predict::model_bytes(test::bytes_of(bytes));
  EXPECT_EQ(file.form, "exact");
  EXPECT_EQ(file.guarantee, "equal: a test");
  EXPECT_EQ(file.model.labels, model.labels);
  EXPECT_EQ(file.model.preparation, model.preparation);
  EXPECT_EQ(file.model.provenance.checkpoint, model.provenance.checkpoint);
  EXPECT_EQ(file.model.provenance.step, 7);
  EXPECT_EQ(file.model.provenance.phase, "both");
}

TEST(ReadModel, FindsTheSites) {
  const FrozenModel model = small();
  const FrozenModel found = onnx::read(test::bytes_of(test::written(model)), 2);
  ASSERT_EQ(found.graph.sites.size(), model.graph.sites.size());
  for (std::size_t i = 0; i < found.graph.sites.size(); ++i) {
    const QuantizedSite &site = found.graph.sites[i], &wanted = model.graph.sites[i];
    EXPECT_EQ(site.path, wanted.path);
    EXPECT_EQ(site.op, wanted.op);
    EXPECT_EQ(site.src.grid, wanted.src.grid);
    EXPECT_EQ(site.weights.grid, wanted.weights.grid);
    EXPECT_EQ(site.src_signed, wanted.src_signed);
    EXPECT_EQ(found.graph.nodes[static_cast<std::size_t>(site.product.node)].op, Op::multiply);
    EXPECT_EQ(found.graph.nodes[static_cast<std::size_t>(site.factor.node)].op, Op::tensor);
  }
}

/// A model that is read is the one that was written: as many nodes, and the same file again.
TEST(ReadModel, WritesTheSameFileAgain) {
  const std::string bytes = test::written(small());
  EXPECT_TRUE(test::written(onnx::read(test::bytes_of(bytes), 2)) == bytes);
}

TEST(ReadModel, OtherFormsAreRefused) {
  const std::string bytes = test::written(small(), {.form = onnx::Form::qdq});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { onnx::read(test::bytes_of(bytes), 1); }),
              HasSubstr("the file is in the form 'qdq'; only `exact` can be read back"));
}

TEST(ReadModel, WhatIsNoModelIsRefused) {
  EXPECT_THAT(test::message_of(Error::Category::data, [] { onnx::read({}, 1); }), HasSubstr("no ONNX file"));
  EXPECT_THAT(test::message_of(Error::Category::data, [] { onnx::read(test::bytes_of("\x89HDF no"), 1); }),
              HasSubstr("no ONNX file"));
  const std::string bytes = test::written(small());
  EXPECT_THAT(
      test::message_of(Error::Category::data, [&] { onnx::read(test::bytes_of(bytes.substr(0, bytes.size() / 2)), 1); }),
      HasSubstr("only a part of one"));
  pb::ModelProto foreign = parsed(bytes);
  foreign.clear_metadata_props();
  foreign.set_producer_name("pytorch");
  EXPECT_THAT(refusal(foreign), HasSubstr("its producer is 'pytorch'"));
}

TEST(ReadModel, ForeignNodesAreRefusedByName) {
  pb::ModelProto model = parsed(test::written(small()));
  pb::NodeProto& relu = node_with(model, "Relu");
  relu.set_op_type("Softmax");
  EXPECT_THAT(refusal(model), HasSubstr("node '" + relu.name() + "' ('Softmax')"));

  model = parsed(test::written(small()));
  pb::AttributeProto& added = *node_with(model, "MaxPool").add_attribute();
  added.set_name("ceil_mode");
  added.set_type(pb::AttributeProto::INT);
  added.set_i(1);
  EXPECT_THAT(refusal(model), HasSubstr("ceil_mode is 1, not 0"));
  added.set_name("colour");
  EXPECT_THAT(refusal(model), HasSubstr("its attribute 'colour' is not known"));

  model = parsed(test::written(small()));
  node_with(model, "Floor").set_op_type("Relu");  // codes are no longer whole
  EXPECT_THAT(refusal(model), HasSubstr("whole numbers from"));
}

TEST(ReadModel, SumsThatCouldOverflowAreRefused) {
  pb::ModelProto model = parsed(test::written(small(), {.packed = false}));
  for (pb::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() != "dense/weights/codes") continue;
    tensor.set_dims(0, 8 * 20000);
    std::string bytes;
    for (int i = 0; i < 8 * 20000 * 5; ++i) bytes += '\xff';
    tensor.set_raw_data(bytes);
  }
  EXPECT_THAT(refusal(model), HasSubstr("its sums do not fit in 32 bits"));
}

/// One constant, made into many: a small file must not fill the memory.
TEST(ReadModel, ConstantsThatMultiplyAreRefused) {
  pb::ModelProto model = parsed(test::written(small(), {.opset = 25}));
  const pb::NodeProto widening = node_with(model, "DequantizeLinear");
  pb::TensorProto& large = *model.mutable_graph()->add_initializer();
  large.set_name("large");
  large.set_data_type(pb::TensorProto::UINT2);
  large.add_dims(4 << 18);
  large.set_raw_data(std::string(1 << 18, '\1'));
  for (int i = 0; i < 100; ++i) {
    pb::NodeProto& node = *model.mutable_graph()->add_node();
    node = widening;
    node.set_input(0, "large");
    node.set_output(0, "copy" + std::to_string(i));
  }
  EXPECT_THAT(refusal(model), HasSubstr("its constants take too much memory"));
}

TEST(ReadModel, ConstantsAreChecked) {
  const auto change = [](const std::function<void(pb::TensorProto&)>& how) {
    pb::ModelProto model = parsed(test::written(small()));
    for (pb::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
      if (tensor.name() == "first/factor") how(tensor);
    }
    return refusal(model);
  };
  EXPECT_THAT(change([](auto& tensor) { tensor.set_dims(0, std::int64_t{1} << 62); }), HasSubstr("do not go together"));
  EXPECT_THAT(change([](auto& tensor) { tensor.set_dims(0, -8); }), HasSubstr("do not go together"));
  EXPECT_THAT(change([](auto& tensor) { tensor.set_data_location(1); }), HasSubstr("lie in another file"));
  EXPECT_THAT(change([](auto& tensor) { tensor.set_data_type(8); }), HasSubstr("elements of type 8"));
  EXPECT_THAT(change([](auto& tensor) { tensor.mutable_raw_data()->replace(0, 4, "\xff\xff\xff\x7f", 4); }),
              HasSubstr("an element is nan"));
  pb::ModelProto model = parsed(test::written(small()));
  const std::string& scale = node_with(model, "DequantizeLinear").input(1);
  for (pb::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() == scale) tensor.set_raw_data("\xff\xff\x7f\x7f");
  }
  EXPECT_THAT(refusal(model), HasSubstr("an element becomes"));
}

TEST(ReadModel, KnowsBothZeros) {
  const auto images = test::small_images(3);
  pb::ModelProto model = parsed(test::written(small()));
  const auto logits = test::logits_of(onnx::read(test::bytes_of(model.SerializeAsString()), 1), images);
  pb::GraphProto& graph = *model.mutable_graph();
  pb::NodeProto& last = *graph.mutable_node(graph.node_size() - 1);
  ASSERT_EQ(last.output(0), "logits");
  last.set_output(0, "before");
  for (const auto& [name, bytes] : {std::pair("zero", "\0\0\0\0"), std::pair("minus_zero", "\0\0\0\x80")}) {
    pb::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.set_raw_data(std::string(bytes, 4));
  }
  pb::NodeProto& plus = *graph.add_node();
  plus.set_op_type("Add");
  plus.add_input("before");
  plus.add_input("zero");
  plus.add_output("sum");
  pb::NodeProto& times = *graph.add_node();
  times.set_op_type("Mul");
  times.add_input("sum");
  times.add_input("minus_zero");
  times.add_output("logits");
  const auto zeros = test::logits_of(onnx::read(test::bytes_of(model.SerializeAsString()), 1), images);
  for (std::size_t i = 0; i < zeros.size(); ++i) EXPECT_NE(std::signbit(zeros[i]), std::signbit(logits[i])) << i;
}

TEST(ReadModel, LargeImagesAreRefused) {
  pb::ModelProto model = parsed(test::written(small()));
  auto& shape = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim(2)->set_dim_value(1 << 14);
  shape.mutable_dim(3)->set_dim_value(1 << 14);
  EXPECT_THAT(refusal(model), HasSubstr("the network is too large"));
  shape.mutable_dim(3)->set_dim_value(std::int64_t{1} << 40);
  EXPECT_THAT(refusal(model), HasSubstr("dimension 3 is"));
}

TEST(ReadModel, MetadataAreChecked) {
  const auto with = [](const std::string& key, const std::string& text) {
    pb::ModelProto model = parsed(test::written(small()));
    for (pb::StringStringEntryProto& entry : *model.mutable_metadata_props()) {
      if (entry.key() == key) entry.set_value(text);
    }
    return refusal(model);
  };
  EXPECT_THAT(with("qfw.preparation", "{"), HasSubstr("metadata qfw.preparation"));
  EXPECT_THAT(with("qfw.preparation", "[]"), HasSubstr("an object is expected"));
  EXPECT_THAT(with("qfw.preparation", R"({"height": 9})"), HasSubstr("1 of 9 settings"));
  EXPECT_THAT(with("qfw.preparation", R"({"height": 9, "shear": 1})"), HasSubstr("'shear' is not known here"));
  EXPECT_THAT(with("qfw.labels", R"(["one"])"), HasSubstr("1 labels for 5 classes"));
  EXPECT_THAT(with("qfw.grids", R"({"first": [0, 1, 2]})"), HasSubstr("'first' has 3 numbers"));
  EXPECT_THAT(with("qfw.step", "seven"), HasSubstr("metadata qfw.step"));
}

/// A table of pixels is made once, and not of as many channels as a file may name.
TEST(ReadModel, TablesOfPixelsAreLimited) {
  const std::string bytes = test::written(small(), {.pixels = true});
  pb::ModelProto model = parsed(bytes);
  pb::NodeProto again = node_with(model, "Gather");
  again.set_output(0, "again");
  *model.mutable_graph()->add_node() = again;
  EXPECT_THAT(refusal(model), HasSubstr("a second table of pixels"));
  model = parsed(bytes);
  for (pb::StringStringEntryProto& entry : *model.mutable_metadata_props()) {
    if (entry.key() != "qfw.preparation") continue;
    entry.set_value(R"({"height": 9, "width": 7, "channels": 16777216, "fit": "exact", "filter": "bicubic", "margin": 32,)"
                    R"( "bgr": false, "mean": 0.5, "stddev": 0.5})");
  }
  EXPECT_THAT(refusal(model), HasSubstr("pictures are prepared with 16777216 channels, the network reads 3"));
}

/// The bits of the preparation's numbers survive, those too that a parser of JSON rounds twice.
TEST(ReadModel, NumbersOfThePreparationAreExact) {
  FrozenModel model = small();
  RandomStream random(3, 4);
  for (int i = 0; i < 50; ++i) {
    for (double& mean : model.preparation->mean) mean = random.uniform() + random.uniform() * 0x1p-30;
    for (double& deviation : model.preparation->stddev) deviation = 0.1 + random.uniform() / 3;
    EXPECT_EQ(onnx::read(test::bytes_of(test::written(model)), 1).preparation, model.preparation);
  }
}

/// Whatever the bytes: an Error of the data, or a network that computes something.
TEST(ReadModel, MutationsNeverDoWorseThanAnError) {
  const auto images = test::small_images(1);
  const std::string files[] = {test::written(small()), test::written(small(), {.opset = 13, .pixels = true})};
  const int tries = 10 * test::mutations();
  int read = 0;
  for (int i = 0; i < tries; ++i) {
    const std::string bytes = test::mutated(files[i % 2], static_cast<std::uint64_t>(i));
    try {
      const predict::ModelFile file = predict::model_bytes(test::bytes_of(bytes));
      ++read;
      if (file.model.image() != Shape{9, 7, 3} || file.model.graph.nodes.size() > 1000) continue;
      (void)test::logits_of(file.model, images, i % 4 < 2 ? "cpu" : "reference");
    } catch (const Error& error) {
      const bool expected = error.category() == Error::Category::data ||
                            std::string_view(error.what()).starts_with("[cast]");  // of a number that is none
      EXPECT_TRUE(expected) << i << ": " << error.what();
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, tries);
  EXPECT_LT(test::peak_memory(), std::uint64_t{2} << 30);
}

}  // namespace
}  // namespace qfw

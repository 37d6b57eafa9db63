#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "interchange/choose_format.h"
#include "io/weights_file.h"
#include "plugin/catalog.h"
#include "qfw/error.h"
#include "qfw/format.h"

namespace qfw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Names = std::vector<std::string>;

const std::filesystem::path golden = std::filesystem::path(QFW_SOURCE_DIR) / "tests/golden/import";

const Catalog& catalog() {
  static const std::vector<std::filesystem::path> folders = {QFW_BINARY_DIR "/bin"};
  static const Catalog catalog(folders);
  return catalog;
}
std::unique_ptr<Format> format(const char* name) { return catalog().get<Format>(name).make({}); }

Variable variable(const std::string& name, Shape shape) {
  return {.name = name, .type = {std::move(shape), DType::f32}, .init = {}, .training = {}};
}
/// Some of each kind of layer.
std::vector<Variable> some_variables() {
  return {variable("init_conv/kernel", {7, 7, 3, 64}),
          variable("init_bn/mean", {64}),
          variable("stage1/block0/conv_proj/kernel", {1, 1, 64, 256}),
          variable("stage1/block0/bn_proj/variance", {256}),
          variable("stage1/block0/conv_2/kernel", {3, 3, 64, 64}),
          variable("stage3/block1/bn_3/gamma", {1024}),
          variable("stage3/block1/conv_1/src/bounds", {1024}),
          variable("dense/kernel", {2048, 1000}),
          variable("dense/bias", {1000}),
          variable("momentum/dense/bias", {1000})};
}
std::map<std::string, std::string> paths(const Format& format, const Names& names) {
  std::map<std::string, std::string> all;
  const std::vector<Variable> variables = some_variables();
  for (const Format::Tensor& tensor : format.tensors(variables, names)) all.emplace(tensor.variable, tensor.path);
  return all;
}
Names names_in(const char* file, const std::string& group = {}) {
  Names names;
  for (const ListedTensor& tensor : list_tensors(golden / file, group)) names.push_back(tensor.name);
  return names;
}

TEST(Torchvision, NamesOfEveryKindOfLayer) {
  const auto torchvision = format("torchvision");
  const std::map<std::string, std::string> expected = {{"init_conv/kernel", "conv1.weight"},
                                                       {"init_bn/mean", "bn1.running_mean"},
                                                       {"stage1/block0/conv_proj/kernel", "layer1.0.downsample.0.weight"},
                                                       {"stage1/block0/bn_proj/variance", "layer1.0.downsample.1.running_var"},
                                                       {"stage1/block0/conv_2/kernel", "layer1.0.conv2.weight"},
                                                       {"stage3/block1/bn_3/gamma", "layer3.1.bn3.weight"},
                                                       {"dense/kernel", "fc.weight"},
                                                       {"dense/bias", "fc.bias"}};
  EXPECT_EQ(paths(*torchvision, {}), expected) << "of a file that is to be written";
  EXPECT_EQ(paths(*torchvision, names_in("tiny.pth")), expected);
  const auto wrapped = paths(*torchvision, names_in("tiny_legacy.pth", "state_dict"));
  EXPECT_EQ(wrapped.at("stage1/block0/conv_2/kernel"), "module.layer1.0.conv2.weight");
  EXPECT_EQ(wrapped.at("dense/bias"), "module.fc.bias");
  const auto transformers = paths(*torchvision, names_in("tiny_transformers.safetensors"));
  EXPECT_EQ(transformers.at("init_conv/kernel"), "resnet.embedder.embedder.convolution.weight");
  EXPECT_EQ(transformers.at("stage1/block0/bn_proj/variance"),
            "resnet.encoder.stages.0.layers.0.shortcut.normalization.running_var");
  EXPECT_EQ(transformers.at("stage3/block1/bn_3/gamma"), "resnet.encoder.stages.2.layers.1.layer.2.normalization.weight");
  EXPECT_EQ(transformers.at("dense/kernel"), "classifier.1.weight");
}

TEST(Torchvision, AxesGoFromTheirsToOurs) {
  const std::vector<Variable> variables = some_variables();
  for (const Format::Tensor& tensor : format("torchvision")->tensors(variables, {})) {
    const std::map<std::string, std::vector<int>> axes = {{"dense/kernel", {1, 0}},
                                                          {"init_conv/kernel", {3, 2, 0, 1}},
                                                          {"stage1/block0/conv_proj/kernel", {3, 2, 0, 1}},
                                                          {"stage1/block0/conv_2/kernel", {3, 2, 0, 1}}};
    const auto expected = axes.find(tensor.variable);
    EXPECT_EQ(tensor.axes, expected == axes.end() ? std::vector<int>() : expected->second) << tensor.variable;
    EXPECT_EQ(tensor.not_negative, tensor.variable.ends_with("variance"));
    EXPECT_EQ(tensor.minus, "");
  }
}

TEST(Keras, NamesAndNumbersOfEveryKindOfLayer) {
  const auto keras = format("keras");
  const auto named = paths(*keras, {});
  EXPECT_EQ(named.at("init_conv/kernel"), "conv1_conv/conv1_conv/kernel:0");
  EXPECT_EQ(named.at("stage1/block0/bn_proj/variance"), "conv2_block1_0_bn/conv2_block1_0_bn/moving_variance:0");
  EXPECT_EQ(named.at("stage3/block1/bn_3/gamma"), "conv4_block2_3_bn/conv4_block2_3_bn/gamma:0");
  EXPECT_EQ(named.at("dense/kernel"), "predictions/predictions/kernel:0");
  EXPECT_EQ(named.size(), 8u);
  const auto file = paths(*keras, names_in("tiny_keras.h5"));
  EXPECT_EQ(file.at("init_bn/mean"), "model_weights/conv1_bn/conv1_bn/moving_mean");
  const Names old = {"conv1_conv/conv1_conv_W:0/kernel:0", "fc1000/fc1000/bias:0", "fc1000/fc1000/kernel:0"};
  EXPECT_EQ(paths(*keras, old).at("dense/bias"), "fc1000/fc1000/bias:0");
  const auto numbered = paths(*keras, names_in("tiny_keras.weights.h5"));
  EXPECT_EQ(numbered.at("init_conv/kernel"), "layers/conv2d/vars/0");
  EXPECT_EQ(numbered.at("init_bn/mean"), "layers/batch_normalization/vars/2");
  EXPECT_EQ(numbered.at("dense/bias"), "layers/dense/vars/1");
}

TEST(Keras, BiasesOfConvolutionsGoIntoMeans) {
  const std::vector<Variable> variables = some_variables();
  std::map<std::string, std::string> minus;
  for (const Format::Tensor& tensor : format("keras")->tensors(variables, names_in("tiny_keras.h5"))) {
    if (!tensor.minus.empty()) minus.emplace(tensor.variable, tensor.minus);
  }
  EXPECT_THAT(minus, ElementsAre(Pair("init_bn/mean", "model_weights/conv1_conv/conv1_conv/bias")));
}

TEST(Formats, EachRecognizesItsOwn) {
  const std::map<std::string, Names> files = {{"torchvision", names_in("tiny.pth")},
                                              {"keras", names_in("tiny_keras.weights.h5")},
                                              {"aqt", {"batch_stats/init_bn/mean", "params/init_conv/kernel"}}};
  for (const auto& [owner, names] : files) {
    for (const auto& [name, others] : files) EXPECT_EQ(format(name.c_str())->recognizes(names), name == owner) << name << owner;
  }
  EXPECT_TRUE(format("torchvision")->recognizes(names_in("tiny_transformers.safetensors")));
  EXPECT_TRUE(format("keras")->recognizes(names_in("tiny_keras.h5")));
  EXPECT_FALSE(format("torchvision")->recognizes(names_in("tiny_legacy.pth"))) << "they lie in a group";
  EXPECT_FALSE(format("torchvision")->recognizes(Names{"conv1.weight", "fc.weight"})) << "of another network";
}

TEST(ChooseFormat, FindsFormatAndGroup) {
  const auto chosen = [](const Names& names, const char* named = "", const char* group = "") {
    const ChosenFormat found = choose_format(catalog(), named, group, names, "file");
    return found.name + ":" + found.group;
  };
  EXPECT_EQ(chosen(names_in("tiny.pth")), "torchvision:");
  EXPECT_EQ(chosen(names_in("tiny_legacy.pth")), "torchvision:state_dict");
  EXPECT_EQ(chosen(names_in("tiny_legacy.pth", "state_dict"), "", "state_dict"), "torchvision:state_dict");
  EXPECT_EQ(chosen({"params/init_conv/kernel"}), "aqt:");
  EXPECT_EQ(chosen({"a/b/params/init_conv/kernel"}), "aqt:a/b");
  EXPECT_EQ(chosen({"whatever"}, "keras"), "keras:");
  const auto error = [&](const Names& names, const char* named = "") -> std::string {
    try {
      return chosen(names, named);
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(error({"x/params/a", "y/params/a"}), HasSubstr("several networks: x, y (file); choose one, as --group=x"));
  EXPECT_THAT(error({"labels", "logits"}), HasSubstr("no format knows the names in the file (labels, logits)"));
  EXPECT_THAT(error({}), HasSubstr("no tensors"));
  EXPECT_THAT(error({"labels"}, "torchvison"), HasSubstr("torchvision"));
}

TEST(Formats, SayWhatARecipeNeeds) {
  const auto required = [](const char* name) {
    std::map<std::string, std::string> all;
    for (const Format::Setting& setting : format(name)->required())
      all.emplace(setting.section + "." + setting.key, setting.value);
    return all;
  };
  EXPECT_THAT(required("torchvision"),
              ElementsAre(Pair("model.bn_epsilon", "1e-05"), Pair("model.padding", "torch"), Pair("model.stride", "3x3")));
  EXPECT_THAT(required("keras"), ElementsAre(Pair("augment.bgr", "true"), Pair("model.bn_epsilon", "1.001e-05"),
                                             Pair("model.padding", "torch"), Pair("model.stride", "1x1")));
  EXPECT_THAT(required("aqt"), IsEmpty());
}

}  // namespace
}  // namespace qfw

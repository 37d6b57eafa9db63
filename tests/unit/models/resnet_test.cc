#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "qfw/layer.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

/// Every convolution and dense layer of a model, in order.
struct Site {
  std::string path;
  Shape src, weights, dst;
  Conv2d conv;
  std::optional<bool> src_signed;
  bool is_dense = false;

  std::int64_t multiplications() const { return dst.count() / dst.channels() * weights.count(); }
};

Graph graph_of(const Settings& settings, Shape images, std::int64_t classes = 10) {
  GraphBuilder g({.training = true});
  const Value logits = testing::make<Layer>("resnet", settings)->build(g, g.input("images", {images, DType::f32}), classes);
  EXPECT_EQ(logits.shape(), (Shape{images[0], classes}));
  return g.graph();
}

std::vector<Site> sites_of(const Graph& graph) {
  std::vector<Site> sites;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::conv2d && node.op != Op::dense) continue;
    Site site{.path = node.path,
              .src = graph.type(node.inputs[0]).shape,
              .weights = graph.type(node.inputs[1]).shape,
              .dst = node.outputs[0].shape,
              .conv = {},
              .src_signed = {},
              .is_dense = node.op == Op::dense};
    if (!site.is_dense) site.conv = node.as<Conv2d>();
    site.src_signed = site.is_dense ? node.as<Dense>().src_signed : site.conv.src_signed;
    sites.push_back(std::move(site));
  }
  return sites;
}

std::map<std::string, Site> by_path(const Settings& settings, Shape images) {
  std::map<std::string, Site> sites;
  for (Site& site : sites_of(graph_of(settings, images))) sites.emplace(site.path, site);
  return sites;
}

std::string error_of(const Settings& settings, Shape images = {2, 32, 32, 3}) {
  try {
    graph_of(settings, images);
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::usage);
    return error.what();
  }
  return "no error";
}

/// The text of tests/shapes/resnet50.txt: what conformance and benchmarks take their layers from.
std::string shapes_text(const std::vector<Site>& sites) {
  std::vector<std::pair<std::string, int>> rows;
  for (const Site& s : sites) {
    const auto& [stride, padding, groups, is_signed] = s.conv;
    const std::string row =
        s.is_dense ? fmt::format("dense  1   1   {:<5} 1  1  {:<5} 1      0   0    0      0     1     ", s.src[1], s.weights[1])
                   : fmt::format("conv2d {:<3} {:<3} {:<5} {:<2} {:<2} {:<5} {:<6} {:<3} {:<4} {:<6} {:<5} {:<6}", s.src[1],
                                 s.src[2], s.src[3], s.weights[0], s.weights[1], s.weights[3], stride[0], padding.low[0],
                                 padding.low[1], padding.high[0], padding.high[1], groups);
    const auto known = std::find_if(rows.begin(), rows.end(), [&](const auto& other) { return other.first == row; });
    if (known == rows.end()) {
      rows.emplace_back(row, 1);
    } else {
      ++known->second;
    }
  }
  std::string text =
      "# The distinct convolutions and dense layers of ResNet50 at 224 x 224, in order of appearance, and how often each "
      "occurs.\n"
      "# Made by unit_models from the model plugin: QFW_WRITE_SHAPES=1 unit_models --gtest_filter='*shapes_file*'\n"
      "# op    H   W   I     kh kw O      stride top left bottom right groups times\n";
  for (const auto& [row, times] : rows) text += fmt::format("{} {}\n", row, times);
  return text;
}

TEST(ResNet, resnet50_has_the_published_size) {
  std::int64_t weights = 0, multiplications = 0;
  for (const Site& site : sites_of(graph_of({}, {1, 224, 224, 3}, 1000))) {
    weights += site.weights.count();
    multiplications += site.multiplications();
  }
  EXPECT_EQ(weights, 25502912);
  EXPECT_EQ(multiplications, 4089184256);
}

TEST(ResNet, shapes_file_is_up_to_date) {
  const std::string path = QFW_SOURCE_DIR "/tests/shapes/resnet50.txt";
  const std::string text = shapes_text(sites_of(graph_of({}, {1, 224, 224, 3}, 1000)));
  if (std::getenv("QFW_WRITE_SHAPES") != nullptr) std::ofstream(path) << text;
  std::stringstream stored;
  stored << std::ifstream(path).rdbuf();
  EXPECT_EQ(stored.str(), text) << "run again with QFW_WRITE_SHAPES=1 if the model was meant to change";
}

TEST(ResNet, depths_give_their_blocks) {
  const std::map<std::int64_t, int> convolutions{{29, 1 + 9 * 3 + 4}, {50, 53}, {101, 104}, {152, 155}, {200, 203}};
  for (const auto& [depth, count] : convolutions) {
    EXPECT_EQ(sites_of(graph_of({{"depth", depth}, {"num_filters", std::int64_t{4}}}, {1, 64, 64, 3})).size(), count + 1u)
        << depth;
  }
}

TEST(ResNet, paths_and_signs_of_its_layers) {
  const auto sites = by_path({{"stages", Integers{2, 1}}, {"num_filters", std::int64_t{4}}}, {2, 32, 32, 3});
  std::set<std::string> paths;
  for (const auto& [path, site] : sites) paths.insert(path);
  EXPECT_EQ(paths, (std::set<std::string>{"init_conv", "stage1/block0/conv_proj", "stage1/block0/conv_1",
                                          "stage1/block0/conv_2", "stage1/block0/conv_3", "stage1/block1/conv_1",
                                          "stage1/block1/conv_2", "stage1/block1/conv_3", "stage2/block0/conv_proj",
                                          "stage2/block0/conv_1", "stage2/block0/conv_2", "stage2/block0/conv_3", "dense"}));
  EXPECT_EQ(sites.at("init_conv").src_signed, true);
  EXPECT_EQ(sites.at("stage2/block0/conv_proj").src_signed, false);
  EXPECT_EQ(sites.at("stage2/block0/conv_1").src_signed, true);
  EXPECT_EQ(sites.at("stage1/block1/conv_1").src_signed, std::nullopt);
  EXPECT_EQ(sites.at("stage2/block0/conv_2").conv.stride, (Extent{2, 2}));
  EXPECT_EQ(sites.at("stage2/block0/conv_proj").conv.stride, (Extent{2, 2}));
}

TEST(ResNet, last_gain_of_a_block_starts_at_zero) {
  const Graph graph = graph_of({{"stages", Integers{1}}}, {2, 32, 32, 3});
  int zeros = 0;
  for (const Variable& variable : graph.variables) {
    if (!variable.name.ends_with("/gamma")) continue;
    const bool last = variable.name.ends_with("bn_3/gamma");
    EXPECT_EQ(variable.init.value, last ? 0 : 1) << variable.name;
    zeros += last;
  }
  EXPECT_EQ(zeros, 1);
}

TEST(ResNet, filter_multiplier_widens_stages_only) {
  const auto sites =
      by_path({{"stages", Integers{1, 1}}, {"num_filters", std::int64_t{16}}, {"filter_multiplier", 0.5}}, {2, 32, 32, 3});
  EXPECT_EQ(sites.at("init_conv").weights.channels(), 16);
  EXPECT_EQ(sites.at("stage1/block0/conv_1").weights.channels(), 8);
  EXPECT_EQ(sites.at("stage2/block0/conv_3").weights.channels(), 64);
}

TEST(ResNet, paddings) {
  const auto padding = [](const char* name, const char* path) {
    return by_path({{"stages", Integers{1, 1}}, {"padding", std::string(name)}}, {2, 32, 32, 3}).at(path).conv.padding;
  };
  EXPECT_EQ(padding("same", "stage2/block0/conv_2"), (Padding{{0, 0}, {1, 1}}));
  EXPECT_EQ(padding("torch", "stage2/block0/conv_2"), (Padding{{1, 1}, {1, 1}}));
  EXPECT_EQ(padding("same", "stage1/block0/conv_2"), (Padding{{1, 1}, {1, 1}}));
  EXPECT_EQ(padding("torch", "init_conv"), (Padding{{3, 3}, {3, 3}}));
}

TEST(ResNet, the_stride_is_where_it_is_asked_for) {
  for (const auto& [place, first, second] :
       {std::tuple("3x3", Extent{1, 1}, Extent{2, 2}), std::tuple("1x1", Extent{2, 2}, Extent{1, 1})}) {
    const auto sites = by_path({{"stages", Integers{1, 1}}, {"stride", std::string(place)}}, {2, 66, 66, 3});
    EXPECT_EQ(sites.at("stage2/block0/conv_1").conv.stride, first) << place;
    EXPECT_EQ(sites.at("stage2/block0/conv_2").conv.stride, second) << place;
    EXPECT_EQ(sites.at("stage2/block0/conv_proj").conv.stride, (Extent{2, 2})) << place;
    EXPECT_EQ(sites.at("stage2/block0/conv_3").src, (Shape{2, 9, 9, 128})) << place;
    EXPECT_EQ(sites.at("stage1/block0/conv_1").conv.stride, (Extent{1, 1})) << place;
  }
}

TEST(ResNet, every_norm_has_the_epsilon_asked_for) {
  for (const auto& [settings, expected] :
       {std::pair(Settings{}, 1e-5f), std::pair(Settings{{"bn_epsilon", 1.001e-5}}, 1.001e-5f)}) {
    Settings all = settings;
    all.emplace_back("stages", Integers{1, 1});
    int norms = 0;
    for (const Node& node : graph_of(all, {2, 32, 32, 3}).nodes) {
      if (node.op != Op::normalize) continue;
      EXPECT_EQ(node.as<Epsilon>().value, expected);
      ++norms;
    }
    EXPECT_EQ(norms, 9);
  }
}

TEST(ResNet, small_stem_keeps_the_extent) {
  const auto sites = by_path({{"stages", Integers{1}}, {"stem", std::string("small")}}, {2, 28, 28, 1});
  EXPECT_EQ(sites.at("init_conv").weights, (Shape{3, 3, 1, 64}));
  EXPECT_EQ(sites.at("stage1/block0/conv_2").dst, (Shape{2, 28, 28, 64}));
}

TEST(ResNet, refuses_what_makes_no_network) {
  EXPECT_THAT(error_of({{"depth", std::int64_t{51}}}), HasSubstr("there is no ResNet51; choose 29, 50, 101, 152 or 200"));
  EXPECT_THAT(error_of({{"depth", OptionValue{}}}), HasSubstr("neither model.depth nor model.stages"));
  EXPECT_THAT(error_of({{"stages", Integers{2, 0}}}), HasSubstr("a stage of 0 blocks"));
  EXPECT_THAT(error_of({{"num_filters", std::int64_t{1}}, {"filter_multiplier", 0.5}}),
              HasSubstr("raise model.filter_multiplier"));
  EXPECT_THAT(error_of({}, {2, 16, 16, 3}), HasSubstr("the images are too small: 1x1 is left to halve (stage4/block0)"));
}

}  // namespace
}  // namespace qfw

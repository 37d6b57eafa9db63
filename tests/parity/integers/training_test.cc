#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "inspect/explanation.h"
#include "parity/integers/network.h"

namespace qfw::parity {
namespace {

using ::testing::HasSubstr;

class Training : public ::testing::TestWithParam<std::string> {};

/// Of the graphs that cpu compiles for the last training step and for evaluation.
TEST_P(Training, MultipliesIntegersInEveryLayerAsEvaluationDoes) {
  const auto session = session_of(network(GetParam()), "cpu", 2);
  const Explanation explanation = explain(*session);
  ASSERT_FALSE(explanation.layers.empty());
  for (const auto& layer : explanation.layers) {
    SCOPED_TRACE(layer.path);
    EXPECT_EQ(layer.training, layer.evaluation);
    for (const Arithmetic& arithmetic : {layer.training, layer.evaluation}) {
      EXPECT_TRUE(arithmetic.integer()) << arithmetic.reason;
      EXPECT_TRUE(arithmetic.src == DType::u8 || arithmetic.src == DType::s8) << arithmetic.str();
      EXPECT_EQ(arithmetic.weights, DType::s8);
      EXPECT_EQ(arithmetic.sums, DType::s32);
    }
    ASSERT_TRUE(layer.largest_sum);
    EXPECT_GT(*layer.largest_sum, 0);
    EXPECT_LT(*layer.largest_sum, 2147483648.0);
  }
  const auto layers = static_cast<std::int64_t>(explanation.layers.size());
  for (const auto& phase : explanation.phases) EXPECT_EQ(phase.integer, layers) << phase.phase;

  // No forward product of floats is left beside the integer ones.
  const Graph& graph = session->training(session->total_steps() - 1).graph;
  const auto products = [&](bool integer) {
    return std::ranges::count_if(graph.nodes, [&](const Node& node) {
      return (node.op == Op::conv2d || node.op == Op::dense) && (node.outputs[0].dtype == DType::s32) == integer;
    });
  };
  EXPECT_EQ(products(true), layers);
  const auto float_convolutions = std::ranges::count_if(
      graph.nodes, [](const Node& node) { return node.op == Op::conv2d && node.outputs[0].dtype != DType::s32; });
  EXPECT_EQ(float_convolutions, 0);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Network& network : networks()) {
    if (!network.name.starts_with("resnet50")) all.push_back(network.name);
  }
  all.emplace_back("resnet50_w4a4_8");
  return all;
}
INSTANTIATE_TEST_SUITE_P(Network, Training, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

/// Where the contract does not allow integers, the layer says why, and only that layer is a float product.
TEST(Training, NamesWhyALayerIsNotInteger) {
  Network mixed = network("odd_w8a8");
  const std::string demand = "require_integer = true\n";
  mixed.recipe.replace(mixed.recipe.find(demand), demand.size(), "");
  mixed.recipe += "[layer:init_conv]\nweight_prec = none\n[layer:dense]\nweight_half_shift = true\n";
  const auto session = session_of(mixed, "cpu", 1);
  for (const auto& layer : explain(*session).layers) {
    SCOPED_TRACE(layer.path);
    const bool integer = layer.path != "init_conv" && layer.path != "dense";
    EXPECT_EQ(layer.training.integer(), integer);
    EXPECT_EQ(layer.evaluation.integer(), integer);
    EXPECT_EQ(layer.largest_sum.has_value(), integer);
    const char* reason = layer.path == "init_conv" ? "weights are floats" : layer.path == "dense" ? "beyond 8 bits" : "";
    EXPECT_THAT(layer.training.reason, HasSubstr(reason));
  }
}

}  // namespace
}  // namespace qfw::parity

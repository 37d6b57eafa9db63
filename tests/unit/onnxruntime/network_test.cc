#include "network.h"

#include <gmock/gmock.h>

#include "qfw/builder.h"
#include "qfw/nn.h"
#include "qfw/ops.h"

namespace qfw::onnxruntime {
namespace {

/// What an evaluation's batches run: images, no variables, logits.
Graph frozen() {
  GraphBuilder g({});
  const Value images = g.input("images", {{2, 4, 4, 1}});
  const Value logits = reshape(sum_to(images, {2, 1, 1, 1}), {2, 1});
  Graph graph = g.graph();
  graph.training = false;
  graph.fetches = {{"logits", {logits.node(), 0}}};
  QuantizedSite site;
  site.path = "layer";
  site.product = {logits.node(), 0};
  graph.sites = {site};
  return graph;
}

TEST(OnnxRuntimeNetwork, IsAFrozenEvaluationWithItsLogitsAndValuesOfItsLayers) {
  EXPECT_TRUE(is_network(frozen()));
  Graph values = frozen();
  values.fetches.push_back({"layer/product", values.fetches[0].use});
  EXPECT_TRUE(is_network(values));
  values.fetches.push_back({"layer/sums", values.fetches[0].use});  // the site has none
  EXPECT_FALSE(is_network(values));
}

TEST(OnnxRuntimeNetwork, IsNothingElse) {
  Graph training = frozen();
  training.training = true;
  EXPECT_FALSE(is_network(training));
  Graph scalar = frozen();
  scalar.fetches[0].name = "astray";
  EXPECT_FALSE(is_network(scalar));
  Graph variable = frozen();
  variable.variables.emplace_back();
  EXPECT_FALSE(is_network(variable));
  Graph more = frozen();
  more.inputs.push_back({"targets", {{2}, DType::s32}});
  EXPECT_FALSE(is_network(more));
  EXPECT_FALSE(is_network(Graph{}));
}

TEST(OnnxRuntimeRefusal, IsItsFirstLineWithoutItsPlaceInSources) {
  EXPECT_EQ(in_short("Failed to load model because protobuf parsing failed.\n"),
            "Failed to load model because protobuf parsing failed.");
  EXPECT_EQ(in_short("/src/graph.cc:1617 void onnxruntime::Graph::Resolve(const Options&, std::function<void()>) This is an "
                     "invalid model. (What else?)\n#0 0x7f\n#1 0x7f"),
            "This is an invalid model. (What else?)");
  EXPECT_EQ(in_short("/src/graph.cc:1617 unbalanced( text"), "/src/graph.cc:1617 unbalanced( text");
  EXPECT_EQ(in_short(""), "");
  const std::string shortened = in_short(std::string(1000, 'x'));
  EXPECT_LT(shortened.size(), 300u);
  EXPECT_TRUE(shortened.ends_with("x..."));
}

}  // namespace
}  // namespace qfw::onnxruntime

#include "qfw/frozen_model.h"

#include <gmock/gmock.h>

#include "passes/finish.h"
#include "passes/freeze.h"
#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::HasSubstr;

const Model& network() {
  static const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    x = layers::batch_norm(g, "bn", layers::conv(g, "conv", relu(x), {.features = 2, .kernel = {3, 3}}));
    return layers::linear(g, "dense", mean_over_space(relu(x)), {.features = classes});
  });
  return model;
}

/// With values of no meaning in place of the variables'.
FrozenModel frozen_network() {
  const Floats quantizer;
  const Graph whole = expand_composites(evaluation_graph(description(network(), quantizer)), [](const Node&) { return true; });
  const Freeze parts(whole);
  std::vector<Freeze::Bytes> values;
  for (const Fetch& fetch : parts.prepare().fetches) {
    values.push_back(std::make_shared<const std::vector<std::byte>>(parts.prepare().type(fetch.use).bytes()));
  }
  FrozenModel model;
  model.graph = parts.frozen(values);
  return model;
}

std::string objection(const FrozenModel& model) {
  try {
    verify(model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(FrozenModel, HasImagesLogitsAndNothingToLearn) {
  const FrozenModel model = frozen_network();
  EXPECT_EQ(objection(model), "");
  EXPECT_EQ(model.batch(), model.graph.inputs[0].type.shape[0]);
  EXPECT_EQ(model.image(), Shape({model.graph.inputs[0].type.shape[1], model.graph.inputs[0].type.shape[2], 1}));
  EXPECT_EQ(model.classes(), 3);
}

TEST(FrozenModel, RefusesWhatIsLeftOfTraining) {
  FrozenModel with_variables;
  const Floats quantizer;
  with_variables.graph =
      expand_composites(evaluation_graph(description(network(), quantizer)), [](const Node&) { return true; });
  EXPECT_THAT(objection(with_variables), HasSubstr("variables"));
  FrozenModel with_composites;
  with_composites.graph = evaluation_graph(description(network(), quantizer));
  with_composites.graph.variables.clear();
  EXPECT_NE(objection(with_composites), "");
}

TEST(FrozenModel, RefusesOtherInputsFetchesAndLabels) {
  FrozenModel model = frozen_network();
  model.labels = {"one", "two"};
  EXPECT_THAT(objection(model), HasSubstr("2 labels for 3 classes"));
  model.labels = {"one", "two", "three"};
  EXPECT_EQ(objection(model), "");
  model.graph.fetches.push_back({"more", model.graph.fetches[0].use});
  EXPECT_THAT(objection(model), HasSubstr("2 fetches"));
  model = frozen_network();
  model.graph.inputs[0].name = "pictures";
  EXPECT_THAT(objection(model), HasSubstr("one of images is expected"));
}

TEST(FrozenModel, RefusesWhatMixesImages) {
  FrozenModel model = frozen_network();
  Graph& graph = model.graph;
  const Use logits = graph.fetches[0].use;
  const TensorType mixed{{1, 3}, DType::f32};
  graph.nodes.push_back(
      {.op = Op::sum, .inputs = {logits}, .attributes = Reduce{{1, 3}}, .outputs = {mixed}, .path = "mixing"});
  graph.fetches[0].use = {static_cast<int>(graph.nodes.size()) - 1, 0};
  EXPECT_THAT(objection(model), AllOf(HasSubstr("sum of all images at once"), HasSubstr("layer mixing")));
}

}  // namespace
}  // namespace qfw::testing

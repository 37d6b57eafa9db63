#include "passes/freeze.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "qfw/error.h"
#include "qfw/random.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// The tensors of a graph by name, and everything else as to_string prints it.
std::string text(const Graph& graph) {
  std::string tensors;
  for (const ConstantTensor& tensor : graph.tensors) tensors += "tensor " + tensor.name + " " + tensor.type.str() + "\n";
  return tensors + to_string(graph);
}

Graph frozen(const Freeze& parts, Evaluator& evaluator, const Evaluator::Values& variables) {
  return parts.frozen(evaluator.fetch(parts.prepare(), variables));
}

/// Weights of two bits and a scale per output channel, activations of two bits and a bound that is a variable.
struct TwoBits final : Quantizer {
  Operand quantize(GraphBuilder& g, const MatmulSite&, Role role, Value x, Phase) const override {
    if (role == Role::weights) {
      const Value scale = 1 / reduce_max(abs(x), Keep::channel);
      return {clip(round_even(x * scale), -1, 1), scale, Grid{-1, 1}};
    }
    const Value scale = 3 / g.state("bound", {}, Init::constant(1));
    return {clip(floor(x * scale), 0, 3), scale, Grid{0, 3}};
  }
};

TEST(Freeze, GivesTheImagesWeightCodesScalesAndFactors) {
  const Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    x = layers::batch_norm(g, "bn", layers::conv(g, "conv", relu(x), {.features = 2, .kernel = {3, 3}}));
    return layers::linear(g, "dense", mean_over_space(relu(x)), {.features = classes});
  });
  const TwoBits quantizer;
  StepDescription step = description(model, quantizer);
  step.quantization.integer = true;
  const Graph whole = expand_composites(evaluation_graph(step), [](const Node&) { return true; });
  const Freeze parts(whole);
  EXPECT_EQ(text(parts.prepare()), "");
  Evaluator evaluator;
  const Graph rest = frozen(parts, evaluator, {});
  EXPECT_EQ(text(rest), "");
  EXPECT_FALSE(rest.training);
  EXPECT_FALSE(rest.may_update);
  EXPECT_EQ(rest.summation, Summation::in_order);
  EXPECT_THAT(rest.variables, IsEmpty());

  ASSERT_EQ(rest.sites.size(), 2u);
  for (const QuantizedSite& site : rest.sites) {
    EXPECT_EQ(rest.nodes[site.matmul.node].op, site.op);
    EXPECT_EQ(rest.nodes[site.sums.node].op, Op::cast);
    EXPECT_EQ(rest.nodes[site.factor.node].op, Op::tensor);
    EXPECT_EQ(rest.nodes[site.src.scale.node].op, Op::tensor);
    EXPECT_EQ(site.weights.codes.node, -1) << "the floats that the integers were made of are only prepared from";
    EXPECT_GE(site.product.node, 0);
  }
}

TEST(Freeze, CutsBelowABroadcastAndKeepsNumbersOnBothSides) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{4, 3}, DType::f32});
  const Value p = g.parameter("p", {3}, Init::zeros());
  const Value wide = broadcast_to(reshape(p * 2, {1, 3}), {4, 3});
  g.fetch("y", x * wide + broadcast_to(BuilderAccess::constant(g, 5), {4, 3}));
  g.fetch("alone", p + 1);
  const Freeze parts(finish(g.graph()));
  EXPECT_EQ(text(parts.prepare()), "");
  Evaluator evaluator;
  const Graph rest = frozen(parts, evaluator, {{"p", {1, 2, 3}}});
  EXPECT_EQ(text(rest), "");
  const auto found = evaluator.run(rest, {}, {{"x", std::vector<float>(12, 1)}});
  EXPECT_THAT(found.at("y"), ElementsAre(7, 9, 11, 7, 9, 11, 7, 9, 11, 7, 9, 11));
  EXPECT_THAT(found.at("alone"), ElementsAre(2, 3, 4));
}

TEST(Freeze, LeavesWhatDependsOnStepRandomNumbersOrOtherReplicas) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2}, DType::f32}), p = g.parameter("p", {2}, Init::zeros());
  g.fetch("y", x + p * g.step() + random_uniform(g, "noise", {2}) * p + all_reduce(p * 3, Across::mean));
  const Freeze parts(finish(g.graph(), 2), 2);
  EXPECT_EQ(text(parts.prepare()), "");
}

TEST(Freeze, HoldsEqualTensorsOnce) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2}, DType::f32});
  g.fetch("y", (x + g.parameter("a", {2}, Init::zeros())) * g.parameter("b", {2}, Init::zeros()));
  const Freeze parts(finish(g.graph()));
  EXPECT_EQ(parts.prepare().fetches.size(), 2u);
  Evaluator evaluator;
  EXPECT_EQ(frozen(parts, evaluator, {{"a", {1, 2}}, {"b", {1, 3}}}).tensors.size(), 2u);
  const Graph equal = frozen(parts, evaluator, {{"a", {1, 2}}, {"b", {1, 2}}});
  EXPECT_EQ(equal.tensors.size(), 1u);
  EXPECT_THAT(evaluator.run(equal, {}, {{"x", {1, 1}}}).at("y"), ElementsAre(2, 6));
}

TEST(Freeze, RefusesAGraphThatUpdatesAndTheWrongValues) {
  GraphBuilder g({.training = true});
  g.assign(g.state("s", {}), 1);
  EXPECT_THROW(Freeze(finish(g.graph())), Error);

  GraphBuilder reads({.training = false});
  reads.fetch("y", reads.input("x", {{2}, DType::f32}) + reads.parameter("p", {2}, Init::zeros()));
  const Freeze parts(finish(reads.graph()));
  EXPECT_THROW(parts.frozen({}), Error);
  EXPECT_THROW(parts.frozen({std::make_shared<std::vector<std::byte>>(7)}), Error);
  EXPECT_THROW(parts.frozen({nullptr}), Error);
}

struct Case {
  std::string backend, quantizer;
  bool integer;
  DType compute;
};
void PrintTo(const Case& c, std::ostream* stream) {
  *stream << c.backend << " " << c.quantizer << (c.integer ? " integer " : " float ") << name_of(c.compute);
}

class FrozenLogits : public ::testing::TestWithParam<Case> {};

/// Values between -1 and 1 that depend on names alone; variances and bounds are above 0.
Evaluator::Values variables_of(const Graph& graph) {
  Evaluator::Values values;
  for (const Variable& variable : graph.variables) {
    RandomStream random(7, hash_of(variable.name));
    auto& all = values[variable.name];
    all.resize(static_cast<std::size_t>(variable.type.shape.count()));
    const bool positive = variable.name.ends_with("/variance") || variable.name.ends_with("/bounds");
    for (float& value : all) value = static_cast<float>(positive ? 0.5 + random.uniform() : 2 * random.uniform() - 1);
  }
  return values;
}

TEST_P(FrozenLogits, AreThoseOfTheWholeGraphToTheBit) {
  const Case& c = GetParam();
  const auto model = make<Layer>("resnet", {{"stages", std::vector<std::int64_t>{1, 1}}, {"num_filters", std::int64_t{11}}});
  const auto quantizer = make<Quantizer>(c.quantizer);
  StepDescription step = description(*model, *quantizer);
  step.images = {3, 9, 11, 3};
  step.classes = 5;
  step.quantizer_of = [&](std::string_view) {
    return SiteQuantizer{quantizer.get(), quantizer->phase({.step = 10000, .total_steps = 20000, .training = false})};
  };
  step.quantization.integer = c.integer;
  step.quantization.require_integer = c.integer;
  step.quantization.compute = c.compute;

  Evaluator evaluator(c.backend);
  const Graph whole = evaluator.expanded(evaluation_graph(step));
  const Evaluator::Values variables = variables_of(whole);
  std::vector<float> images(3 * 9 * 11 * 3);
  RandomStream random(3, 3);
  for (float& value : images) value = static_cast<float>(random.normal());
  const auto expected = evaluator.run(whole, variables, {{"images", images}}).at("logits");

  const Freeze parts(whole);
  const Graph rest = frozen(parts, evaluator, variables);
  EXPECT_THAT(parts.prepare().fetches, Not(IsEmpty()));
  for (const QuantizedSite& site : rest.sites) {
    const Node& weights = rest.nodes[rest.nodes[site.matmul.node].inputs[1].node];
    EXPECT_EQ(weights.op, Op::tensor) << site.path;
    EXPECT_EQ(weights.outputs[0].dtype, c.integer ? DType::s8 : c.compute) << site.path;
  }
  const auto found = evaluator.run(rest, {}, {{"images", images}}).at("logits");
  ASSERT_EQ(found.size(), 15u);
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), 15 * sizeof(float)), 0);
  EXPECT_NE(found[0], found[1]);
  for (const float logit : found) EXPECT_TRUE(std::isfinite(logit));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string backend : {"reference", "cpu"}) {
    for (const DType compute : {DType::f32, DType::bf16}) {
      all.push_back({backend, "none", false, compute});
      all.push_back({backend, "weights_only", false, compute});
      all.push_back({backend, "weights_and_auto_acts", false, compute});
      all.push_back({backend, "weights_and_auto_acts", true, compute});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, FrozenLogits, ::testing::ValuesIn(cases()));

}  // namespace
}  // namespace qfw::testing

#include "passes/freeze.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "graph/builder_access.h"
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
  EXPECT_EQ(text(parts.prepare()),
            R"(%0 = variable() {#0} -> f32[3, 3, 1, 2]  # conv/kernel
%1 = variable() {#1} -> f32[]  # conv/src/bound
%2 = variable() {#2} -> f32[2]  # bn/gamma
%3 = variable() {#3} -> f32[2]  # bn/beta
%4 = variable() {#4} -> f32[2]  # bn/mean
%5 = variable() {#5} -> f32[2]  # bn/variance
%6 = variable() {#6} -> f32[2, 3]  # dense/kernel
%7 = variable() {#7} -> f32[]  # dense/src/bound
%8 = variable() {#8} -> f32[3]  # dense/bias
%9 = constant() {3} -> f32[]  # conv/src
%10 = divide(%9, %1) -> f32[]  # conv/src
%11 = abs(%0) -> f32[3, 3, 1, 2]  # conv/weights
%12 = reduce_max(%11) {to [2]} -> f32[2]  # conv/weights
%13 = constant() {1} -> f32[]  # conv/weights
%14 = divide(%13, %12) -> f32[2]  # conv/weights
%15 = multiply(%0, %14) -> f32[3, 3, 1, 2]  # conv/weights
%16 = round_even(%15) -> f32[3, 3, 1, 2]  # conv/weights
%17 = constant() {-1} -> f32[]  # conv/weights
%18 = maximum(%16, %17) {ties half} -> f32[3, 3, 1, 2]  # conv/weights
%19 = minimum(%18, %13) {ties half} -> f32[3, 3, 1, 2]  # conv/weights
%20 = cast(%19) {to s8} -> s8[3, 3, 1, 2]  # conv
%21 = multiply(%14, %13) -> f32[2]  # conv
%22 = multiply(%10, %13) -> f32[]  # conv
%23 = multiply(%22, %21) -> f32[2]  # conv
%24 = divide(%13, %23) -> f32[2]  # conv
%25 = constant() {9.999999747378752e-06} -> f32[]  # bn
%26 = add(%5, %25) -> f32[2]  # bn
%27 = sqrt(%26) -> f32[2]  # bn
%28 = divide(%13, %27) -> f32[2]  # bn
%29 = multiply(%28, %2) -> f32[2]  # bn
%30 = divide(%9, %7) -> f32[]  # dense/src
%31 = abs(%6) -> f32[2, 3]  # dense/weights
%32 = reduce_max(%31) {to [3]} -> f32[3]  # dense/weights
%33 = divide(%13, %32) -> f32[3]  # dense/weights
%34 = multiply(%6, %33) -> f32[2, 3]  # dense/weights
%35 = round_even(%34) -> f32[2, 3]  # dense/weights
%36 = maximum(%35, %17) {ties half} -> f32[2, 3]  # dense/weights
%37 = minimum(%36, %13) {ties half} -> f32[2, 3]  # dense/weights
%38 = cast(%37) {to s8} -> s8[2, 3]  # dense
%39 = multiply(%33, %13) -> f32[3]  # dense
%40 = multiply(%30, %13) -> f32[]  # dense
%41 = multiply(%40, %39) -> f32[3]  # dense
%42 = divide(%13, %41) -> f32[3]  # dense
fetch conv/src/scale = %10
fetch conv/weights/codes = %20
fetch conv/factor = %24
fetch bn/mean = %4
fetch bn/multiply = %29
fetch bn/beta = %3
fetch dense/src/scale = %30
fetch dense/weights/codes = %38
fetch dense/factor = %42
fetch dense/bias = %8
)");
  Evaluator evaluator;
  const Graph rest = frozen(parts, evaluator, variables_of(whole));
  EXPECT_EQ(text(rest),
            R"(tensor conv/src/scale f32[]
tensor conv/weights/codes s8[3, 3, 1, 2]
tensor conv/factor f32[2]
tensor bn/mean f32[2]
tensor bn/multiply f32[2]
tensor bn/beta f32[2]
tensor dense/src/scale f32[]
tensor dense/weights/codes s8[2, 3]
tensor dense/factor f32[3]
tensor dense/bias f32[3]
%0 = input() {images} -> f32[2, 4, 4, 1]
%1 = relu(%0) -> f32[2, 4, 4, 1]
%2 = tensor() {conv/src/scale} -> f32[]  # conv/src
%3 = multiply(%1, %2) -> f32[2, 4, 4, 1]  # conv/src
%4 = floor(%3) -> f32[2, 4, 4, 1]  # conv/src
%5 = constant() {0} -> f32[]  # conv/src
%6 = maximum(%4, %5) {ties half} -> f32[2, 4, 4, 1]  # conv/src
%7 = constant() {3} -> f32[]  # conv/src
%8 = minimum(%6, %7) {ties half} -> f32[2, 4, 4, 1]  # conv/src
%9 = cast(%8) {to u8} -> u8[2, 4, 4, 1]  # conv
%10 = tensor() {conv/weights/codes} -> s8[3, 3, 1, 2]  # conv
%11 = conv2d(%9, %10) {stride 1x1 padding 1,1:1,1} -> s32[2, 4, 4, 2]  # conv
%12 = cast(%11) {to f32} -> f32[2, 4, 4, 2]  # conv
%13 = tensor() {conv/factor} -> f32[2]  # conv
%14 = multiply(%12, %13) -> f32[2, 4, 4, 2]  # conv
%15 = tensor() {bn/mean} -> f32[2]
%16 = subtract(%14, %15) -> f32[2, 4, 4, 2]  # bn
%17 = tensor() {bn/multiply} -> f32[2]  # bn
%18 = multiply(%16, %17) -> f32[2, 4, 4, 2]  # bn
%19 = tensor() {bn/beta} -> f32[2]
%20 = add(%18, %19) -> f32[2, 4, 4, 2]  # bn
%21 = relu(%20) -> f32[2, 4, 4, 2]
%22 = sum(%21) {to [2, 1, 1, 2]} -> f32[2, 1, 1, 2]
%23 = reshape(%22) {to [2, 2]} -> f32[2, 2]
%24 = constant() {16} -> f32[]
%25 = divide(%23, %24) -> f32[2, 2]
%26 = tensor() {dense/src/scale} -> f32[]  # dense/src
%27 = multiply(%25, %26) -> f32[2, 2]  # dense/src
%28 = floor(%27) -> f32[2, 2]  # dense/src
%29 = maximum(%28, %5) {ties half} -> f32[2, 2]  # dense/src
%30 = minimum(%29, %7) {ties half} -> f32[2, 2]  # dense/src
%31 = cast(%30) {to u8} -> u8[2, 2]  # dense
%32 = tensor() {dense/weights/codes} -> s8[2, 3]  # dense
%33 = dense(%31, %32) -> s32[2, 3]  # dense
%34 = cast(%33) {to f32} -> f32[2, 3]  # dense
%35 = tensor() {dense/factor} -> f32[3]  # dense
%36 = multiply(%34, %35) -> f32[2, 3]  # dense
%37 = tensor() {dense/bias} -> f32[3]
%38 = add(%36, %37) -> f32[2, 3]  # dense
fetch logits = %38
)");
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
  const Value fives = broadcast_to(BuilderAccess::constant(g, 5), {4, 3}), product = x * wide;
  g.fetch("y", product + fives);
  g.fetch("alone", p + 1);
  const Freeze parts(finish(g.graph()));
  EXPECT_EQ(text(parts.prepare()),
            R"(%0 = variable() {#0} -> f32[3]  # p
%1 = constant() {2} -> f32[]
%2 = multiply(%0, %1) -> f32[3]
%3 = reshape(%2) {to [1, 3]} -> f32[1, 3]
%4 = constant() {1} -> f32[]
%5 = add(%0, %4) -> f32[3]
fetch reshape = %3
fetch add = %5
)");
  Evaluator evaluator;
  const Graph rest = frozen(parts, evaluator, {{"p", {1, 2, 3}}});
  EXPECT_EQ(text(rest),
            R"(tensor reshape f32[1, 3]
tensor add f32[3]
%0 = input() {x} -> f32[4, 3]
%1 = tensor() {reshape} -> f32[1, 3]
%2 = broadcast_to(%1) {to [4, 3]} -> f32[4, 3]
%3 = multiply(%0, %2) -> f32[4, 3]
%4 = constant() {5} -> f32[]
%5 = broadcast_to(%4) {to [4, 3]} -> f32[4, 3]
%6 = add(%3, %5) -> f32[4, 3]
%7 = tensor() {add} -> f32[3]
fetch y = %6
fetch alone = %7
)");
  const auto found = evaluator.run(rest, {}, {{"x", std::vector<float>(12, 1)}});
  EXPECT_THAT(found.at("y"), ElementsAre(7, 9, 11, 7, 9, 11, 7, 9, 11, 7, 9, 11));
  EXPECT_THAT(found.at("alone"), ElementsAre(2, 3, 4));
}

TEST(Freeze, LeavesWhatDependsOnStepRandomNumbersOrOtherReplicas) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2}, DType::f32}), p = g.parameter("p", {2}, Init::zeros());
  const Value a = p * g.step(), b = random_uniform(g, "noise", {2}) * p, c = all_reduce(p * 3, Across::mean);
  g.fetch("y", x + a + b + c);
  const Freeze parts(finish(g.graph(), 2), 2);
  EXPECT_EQ(text(parts.prepare()),
            R"(%0 = variable() {#0} -> f32[2]  # p
%1 = constant() {3} -> f32[]
%2 = multiply(%0, %1) -> f32[2]
fetch p = %0
fetch multiply = %2
)");
}

TEST(Freeze, HoldsEqualTensorsOnce) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{2}, DType::f32});
  const Value a = g.parameter("a", {2}, Init::zeros()), b = g.parameter("b", {2}, Init::zeros());
  g.fetch("y", (x + a) * b);
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

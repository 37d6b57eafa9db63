#include "passes/quantize.h"

#include <gmock/gmock.h>

#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Codes are x * scale, rounded; each grid and scale is the test's.
struct Fixed final : Quantizer {
  Grid src{0, 3}, weights{-1, 1};
  double src_scale = 2;
  Operand quantize(GraphBuilder& g, const MatmulSite&, Role role, Value x, Phase) const override {
    if (role == Role::src) return {clip(floor(x * src_scale), src.low, src.high), src_scale, src};
    const Value scale = g.state("scale", {x.shape().channels()}, Init::constant(1));
    return {clip(round_even(x * scale), weights.low, weights.high), scale, weights};
  }
};

Model dense_model() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", flat(relu(x)), {.features = classes, .bias = false});
  });
}

TEST(Quantize, MakesAnIntegerSite) {
  const Model model = dense_model();
  const Fixed quantizer;
  StepDescription step = description(model, quantizer);
  step.quantization.integer = true;
  const Graph graph = evaluation_graph(step);
  EXPECT_EQ(to_string(graph),
            R"(%0 = input() {images} -> f32[2, 4, 4, 1]
%1 = relu(%0) -> f32[2, 4, 4, 1]
%2 = reshape(%1) {to [2, 16]} -> f32[2, 16]
%3 = variable() {#0} -> f32[16, 3]  # dense/kernel
%4 = constant() {2} -> f32[]  # dense/src
%5 = multiply(%2, %4) -> f32[2, 16]  # dense/src
%6 = floor(%5) -> f32[2, 16]  # dense/src
%7 = constant() {0} -> f32[]  # dense/src
%8 = maximum(%6, %7) {ties half} -> f32[2, 16]  # dense/src
%9 = constant() {3} -> f32[]  # dense/src
%10 = minimum(%8, %9) {ties half} -> f32[2, 16]  # dense/src
%11 = variable() {#1} -> f32[3]  # dense/weights/scale
%12 = multiply(%3, %11) -> f32[16, 3]  # dense/weights
%13 = round_even(%12) -> f32[16, 3]  # dense/weights
%14 = constant() {-1} -> f32[]  # dense/weights
%15 = maximum(%13, %14) {ties half} -> f32[16, 3]  # dense/weights
%16 = constant() {1} -> f32[]  # dense/weights
%17 = minimum(%15, %16) {ties half} -> f32[16, 3]  # dense/weights
%18 = cast(%10) {to u8} -> u8[2, 16]  # dense
%19 = cast(%17) {to s8} -> s8[16, 3]  # dense
%20 = dense(%18, %19) -> s32[2, 3]  # dense
%21 = cast(%20) {to f32} -> f32[2, 3]  # dense
%22 = multiply(%11, %16) -> f32[3]  # dense
%23 = multiply(%4, %22) -> f32[3]  # dense
%24 = divide(%16, %23) -> f32[3]  # dense
%25 = multiply(%21, %24) -> f32[2, 3]  # dense
fetch logits = %25
)");
  ASSERT_EQ(graph.sites.size(), 1u);
  const QuantizedSite& site = graph.sites[0];
  EXPECT_TRUE(site.integer);
  EXPECT_EQ(site.reason, "");
  EXPECT_EQ(graph.type(site.matmul), (TensorType{{2, 3}, DType::s32}));
  EXPECT_EQ(graph.nodes[site.sums.node].inputs[0], site.matmul);
  EXPECT_EQ(graph.nodes[site.product.node].inputs, (std::vector<Use>{site.sums, site.factor}));
  EXPECT_EQ(graph.nodes[site.src.scale.node].as<Number>().value, 2);
  EXPECT_EQ(graph.variables[graph.nodes[site.weights.scale.node].as<Slot>().index].name, "dense/weights/scale");
}

TEST(Quantize, MakesAFloatProductOfFakeQuantizedOperands) {
  const Model model = dense_model();
  const Fixed quantizer;
  const Graph graph = evaluation_graph(description(model, quantizer));
  EXPECT_EQ(to_string(graph),
            R"(%0 = input() {images} -> f32[2, 4, 4, 1]
%1 = relu(%0) -> f32[2, 4, 4, 1]
%2 = reshape(%1) {to [2, 16]} -> f32[2, 16]
%3 = variable() {#0} -> f32[16, 3]  # dense/kernel
%4 = constant() {2} -> f32[]  # dense/src
%5 = multiply(%2, %4) -> f32[2, 16]  # dense/src
%6 = floor(%5) -> f32[2, 16]  # dense/src
%7 = constant() {0} -> f32[]  # dense/src
%8 = maximum(%6, %7) {ties half} -> f32[2, 16]  # dense/src
%9 = constant() {3} -> f32[]  # dense/src
%10 = minimum(%8, %9) {ties half} -> f32[2, 16]  # dense/src
%11 = variable() {#1} -> f32[3]  # dense/weights/scale
%12 = multiply(%3, %11) -> f32[16, 3]  # dense/weights
%13 = round_even(%12) -> f32[16, 3]  # dense/weights
%14 = constant() {-1} -> f32[]  # dense/weights
%15 = maximum(%13, %14) {ties half} -> f32[16, 3]  # dense/weights
%16 = constant() {1} -> f32[]  # dense/weights
%17 = minimum(%15, %16) {ties half} -> f32[16, 3]  # dense/weights
%18 = divide(%10, %4) -> f32[2, 16]  # dense
%19 = divide(%17, %11) -> f32[16, 3]  # dense
%20 = dense(%18, %19) -> f32[2, 3]  # dense
fetch logits = %20
)");
  const QuantizedSite& site = graph.sites.at(0);
  EXPECT_FALSE(site.integer);
  EXPECT_EQ(site.reason, "arithmetic = fake_quant");
  EXPECT_EQ(site.matmul, site.product);
  EXPECT_EQ(site.sums, site.product);
  EXPECT_EQ(site.factor, Use{});
}

TEST(Quantize, RoundsOperandsAndProductsToTheComputeType) {
  const Model model = dense_model();
  const Floats floats;
  StepDescription step = description(model, floats);
  step.quantization.compute = DType::bf16;
  EXPECT_EQ(to_string(evaluation_graph(step)),
            R"(%0 = input() {images} -> f32[2, 4, 4, 1]
%1 = relu(%0) -> f32[2, 4, 4, 1]
%2 = reshape(%1) {to [2, 16]} -> f32[2, 16]
%3 = variable() {#0} -> f32[16, 3]  # dense/kernel
%4 = cast(%2) {to bf16} -> bf16[2, 16]  # dense
%5 = cast(%3) {to bf16} -> bf16[16, 3]  # dense
%6 = dense(%4, %5) -> bf16[2, 3]  # dense
%7 = cast(%6) {to f32} -> f32[2, 3]
fetch logits = %7
)");
  EXPECT_EQ(evaluation_graph(step).sites.at(0).reason, "not quantized");
}

/// Halves: codes are doubled, and the factor knows.
TEST(Quantize, DoublesCodesBetweenWholeNumbers) {
  const Model model = dense_model();
  Fixed quantizer;
  quantizer.weights = {-1.5f, 1.5f};
  StepDescription step = description(model, quantizer);
  step.quantization.integer = true;
  const Graph graph = evaluation_graph(step);
  const QuantizedSite& site = graph.sites.at(0);
  EXPECT_TRUE(site.integer);
  EXPECT_THAT(to_string(graph), HasSubstr("multiply"));
  EXPECT_EQ(largest_sum(site), 16 * 3 * 3);
}

TEST(Quantize, SaysWhyASiteIsNotInteger) {
  const Model model = dense_model();
  Fixed quantizer;
  quantizer.src = {0, 300};
  StepDescription step = description(model, quantizer);
  step.quantization.integer = true;
  EXPECT_EQ(evaluation_graph(step).sites.at(0).reason, "activations have codes from 0 to 300, beyond 8 bits");
  step.quantization.require_integer = true;
  try {
    evaluation_graph(step);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("beyond 8 bits"), HasSubstr("layer dense")));
  }
}

}  // namespace
}  // namespace qfw::testing

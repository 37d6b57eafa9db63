#include "passes/operand_statistics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;

Model one_layer() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", flat(x), {.features = classes});
  });
}

/// [16, 3]: column c holds -(c + 1), 0 and c + 1 in turn; five times 0, eleven times something else.
std::vector<float> kernel() {
  std::vector<float> values;
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 3; ++column) values.push_back(static_cast<float>((row % 3 - 1) * (column + 1)));
  }
  return values;
}

/// The images of batch(): 32 times -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1 in turn.
struct Found {
  std::vector<OperandStatistics::Operand> operands;
  Evaluator::Values values;

  float of(const char* name, std::size_t operand) const { return values.at(name)[operand]; }
};

Found found(const Quantizer& quantizer, Phase phase, bool integer, const std::string& backend) {
  const Model model = one_layer();
  StepDescription step = description(model, quantizer, phase);
  step.quantization.integer = integer;
  const OperandStatistics statistics = operand_statistics(step);
  Evaluator evaluator(backend);
  return {statistics.operands, evaluator.run(statistics.graph, {{"dense/kernel", kernel()}}, batch(0))};
}

template <class Check>
void on_every_backend(const Quantizer& quantizer, Phase phase, Check check) {
  for (const std::string backend : {"reference", "cpu"}) {
    for (const bool integer : {true, false}) {
      SCOPED_TRACE(backend + (integer ? ", integer" : ", fake_quant"));
      check(found(quantizer, phase, integer, backend));
    }
  }
}

/// To whole steps, or half ones, of a scale that is a number (input) or one for each channel (weights).
struct Rounds final : Quantizer {
  Grid src, weights;
  float weight_scale = 0;  ///< 0: the largest of a channel becomes the end of the grid

  Operand quantize(GraphBuilder&, const MatmulSite&, Role role, Value x, Phase) const override {
    if (role == Role::src) return onto(x, 4, src);
    const Value scale = weight_scale != 0 ? Value(weight_scale) : weights.high / reduce_max(abs(x), Keep::channel);
    return onto(x, scale, weights);
  }
  static Operand onto(Value x, Value scale, const Grid& grid) {
    const Value place = x * scale;
    const Value whole = grid.halves() ? floor_ste(place) + 0.5 : round_even_ste(place);
    return {clip(whole, grid.low, grid.high), scale, grid};
  }
};

TEST(OperandStatistics, AreTheEndsOfTheGridAndWhatLiesBeyond) {
  Rounds quantizer;
  quantizer.src = {-3, 3};
  quantizer.weights = {-7, 7};
  on_every_backend(quantizer, 0, [](const Found& found) {
    ASSERT_EQ(found.operands.size(), 2u);
    EXPECT_EQ(found.operands[0].path, "dense");
    EXPECT_EQ(found.operands[0].role, Role::src);
    EXPECT_EQ(found.operands[0].elements, 32);
    EXPECT_EQ(found.operands[1].role, Role::weights);
    EXPECT_EQ(found.operands[1].elements, 48);
    EXPECT_EQ(found.of("mean bound", 0), 0.75f) << "3 / 4";
    EXPECT_EQ(found.of("least bound", 0), 0.75f);
    EXPECT_EQ(found.of("greatest bound", 0), 0.75f);
    EXPECT_EQ(found.of("beyond", 0), 4) << "the four ones, 4 steps of 3";
    EXPECT_FLOAT_EQ(found.of("mean bound", 1), 2) << "1, 2 and 3";
    EXPECT_FLOAT_EQ(found.of("least bound", 1), 1);
    EXPECT_FLOAT_EQ(found.of("greatest bound", 1), 3);
    EXPECT_EQ(found.of("beyond", 1), 0) << "the largest lies on the end";
    EXPECT_THAT(found.values.at("astray"), Each(0));
  });
}

TEST(OperandStatistics, CountHalfAStepAsWithinTheGrid) {
  Rounds quantizer;
  quantizer.src = {0, 3};  // unsigned: -0.5 and -0.25 are 2 and 1 steps below
  quantizer.weights = {-1.5, 1.5};
  quantizer.weight_scale = 1;  // ones and twos are within half a step of 1.5, threes are not
  on_every_backend(quantizer, 0, [](const Found& found) {
    EXPECT_EQ(found.of("mean bound", 0), 0.75f);
    EXPECT_EQ(found.of("beyond", 0), 4 + 5 + 5);
    EXPECT_EQ(found.of("mean bound", 1), 1.5f);
    EXPECT_EQ(found.of("beyond", 1), 11);
    EXPECT_THAT(found.values.at("astray"), Each(0));
  });
}

/// These fold the scale of the input into the weights before they are quantized: what is told is of the operands themselves.
TEST(OperandStatistics, AreOfTheOperandsWhereProductsFoldTheirScales) {
  const auto quantizer = make<Quantizer>("weights_and_fixed_acts", {{"bounds", std::string("0.5")},
                                                                    {"weight_prec", std::int64_t{4}},
                                                                    {"act_prec", std::int64_t{4}},
                                                                    {"quant_type", std::string("aqt")}});
  const Phase phase = quantizer->phase({.step = 0, .training = false});
  on_every_backend(*quantizer, phase, [](const Found& found) {
    ASSERT_EQ(found.operands.size(), 2u);
    EXPECT_NEAR(found.of("mean bound", 0), 0.5, 1e-6);
    EXPECT_EQ(found.of("beyond", 0), 4 + 4) << "0.75 and 1";
    EXPECT_NEAR(found.of("mean bound", 1), 2, 1e-6);
    EXPECT_NEAR(found.of("least bound", 1), 1, 1e-6);
    EXPECT_NEAR(found.of("greatest bound", 1), 3, 1e-6);
    EXPECT_EQ(found.of("beyond", 1), 0);
    EXPECT_THAT(found.values.at("astray"), Each(0));
  });
}

/// Codes that are no multiple of the operand have no share that is clipped; the bound is still that of the grid.
struct Squashes final : Quantizer {
  Operand quantize(GraphBuilder&, const MatmulSite&, Role role, Value x, Phase) const override {
    if (role == Role::src) return x;
    return {round_even_ste(tanh(x) * 7), 7, Grid{-7, 7}};
  }
};

TEST(OperandStatistics, TellCodesThatGoTheirOwnWay) {
  on_every_backend(Squashes(), 0, [](const Found& found) {
    ASSERT_EQ(found.operands.size(), 1u) << "the input has no grid";
    EXPECT_EQ(found.operands[0].role, Role::weights);
    EXPECT_FLOAT_EQ(found.of("mean bound", 0), 1);
    EXPECT_EQ(found.of("astray", 0), 11) << "the ones: 7 steps, of which tanh leaves 5";
  });
}

struct OnlyBoth final : Quantizer {
  Operand quantize(GraphBuilder&, const MatmulSite&, Role, Value x, Phase) const override { return x; }
  std::pair<Operand, Operand> quantize_both(GraphBuilder&, const MatmulSite&, Value src, Value weights, Phase,
                                            bool) const override {
    return {Rounds::onto(src, 4, {-3, 3}), Rounds::onto(weights, 1, {-3, 3})};
  }
};

TEST(OperandStatistics, KnowNothingOfWhatIsQuantizedTogetherOnly) {
  on_every_backend(OnlyBoth(), 0, [](const Found& found) {
    ASSERT_EQ(found.operands.size(), 2u);
    for (const auto& operand : found.operands) EXPECT_FALSE(operand.first);
    EXPECT_TRUE(found.values.empty());
  });
}

TEST(OperandStatistics, OfFloatsAreNone) {
  const Model model = one_layer();
  EXPECT_TRUE(operand_statistics(description(model, Floats())).operands.empty());
}

}  // namespace
}  // namespace qfw::testing

#include <gmock/gmock.h>

#include "models.h"
#include "qfw/error.h"

namespace qfw::testing {
namespace {

using onnx::Form;
using Type = onnx::pb::TensorProto;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

std::vector<float> floats_of(const FrozenModel& model, const std::string& name) {
  const auto* values = reinterpret_cast<const float*>(tensor(model, name).bytes->data());
  return {values, values + tensor(model, name).type.shape.count()};
}

const onnx::WriteOptions qdq{.form = Form::qdq};

TEST(OnnxQdq, IsPairsAroundProductsWithTheNextScaleInThem) {
  const Parts file = parts_of(small_model(8), qdq);
  EXPECT_THAT(file.ops(), ElementsAre("Mul", "Clip", "QuantizeLinear", "DequantizeLinear",  // images
                                      "DequantizeLinear", "Conv", "Relu", "MaxPool",        // conv, bn
                                      "Mul", "Sub", "QuantizeLinear", "DequantizeLinear",   // the pooling is between
                                      "DequantizeLinear", "Conv",            // grouped, bn, relu, the scale of last
                                      "QuantizeLinear", "DequantizeLinear",  // UINT8 ends at 0 and 255 by itself
                                      "DequantizeLinear", "Conv", "Relu", "ReduceSum", "Reshape", "Div",  //
                                      "Mul", "Sub", "QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Gemm"));
}

/// Weights and bias of the convolution whose result the batch normalisation reads: factor * (sums * f - mean) + beta. Codes of
/// four bits are 16 times as large in INT8, so that biases are rounded to a 16th of a code's unit.
TEST(OnnxQdq, KeepsTheCodesAndFoldsBatchNormalisation) {
  const FrozenModel model = small_model(4);
  const Parts file = parts_of(model, qdq);
  const auto f = floats_of(model, "conv/factor"), mean = floats_of(model, "bn/mean"), beta = floats_of(model, "bn/beta"),
             times = floats_of(model, "bn/multiply");
  const auto scale = file.floats("conv/weights/codes/scale"), bias = file.floats("conv/bias");
  const std::string& held = file.initializer("conv/weights/codes").raw_data();
  const auto* codes = reinterpret_cast<const std::int8_t*>(tensor(model, "conv/weights/codes").bytes->data());
  bool flipped = false;
  for (std::size_t o = 0; o < 4; ++o) {
    const bool flips = times[o] < 0;
    flipped = flipped || flips;
    EXPECT_FLOAT_EQ(scale[o], std::fabs(f[o] * times[o]) / 16);
    EXPECT_FLOAT_EQ(bias[o], beta[o] - mean[o] * times[o]);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t t = 0; t < 9; ++t) {
        EXPECT_EQ(static_cast<std::int8_t>(held[(o * 3 + i) * 9 + t]), (flips ? -16 : 16) * codes[(t * 3 + i) * 4 + o]);
      }
    }
  }
  EXPECT_TRUE(flipped) << "no channel has a factor below 0: choose other variables";
  EXPECT_EQ(file.initializer("conv/weights/codes").data_type(), Type::INT8);
}

/// The last convolution has the scale of the head's input nowhere: a mean is between. The grouped one has that of `last`.
TEST(OnnxQdq, PutsTheScaleAndHalfAStepOfTheNextLayerIntoTheBias) {
  const FrozenModel model = small_model(4);
  const Parts file = parts_of(model, qdq);
  const auto mean = floats_of(model, "bn_grouped/mean"), beta = floats_of(model, "bn_grouped/beta"),
             times = floats_of(model, "bn_grouped/multiply");
  const auto next = floats_of(model, "last/src/divide");
  const auto bias = file.floats("grouped/bias");
  ASSERT_EQ(bias.size(), 6u);
  for (std::size_t o = 0; o < 6; ++o) EXPECT_NEAR(bias[o], (beta[o] - mean[o] * times[o]) * next[o] - 0.5f, 1e-5);
}

TEST(OnnxQdq, LeavesRoomForTwoProductsInSixteenBits) {
  const FrozenModel model = small_model(5);  // 31 * 15 * 2 = 930: 35 times that fit, but 8 * 15 alone fits INT8
  const Parts file = parts_of(model, qdq);
  const std::string& held = file.initializer("last/weights/codes").raw_data();
  const auto* codes = reinterpret_cast<const std::int8_t*>(tensor(model, "last/weights/codes").bytes->data());
  EXPECT_EQ(std::abs(static_cast<std::int8_t>(held[0])), 8 * std::abs(codes[0]));
  const FrozenModel wide = small_model(8);
  const Parts wide_file = parts_of(wide, qdq);
  const std::string& same = wide_file.initializer("last/weights/codes").raw_data();
  const auto* wanted = reinterpret_cast<const std::int8_t*>(tensor(wide, "last/weights/codes").bytes->data());
  EXPECT_EQ(std::abs(static_cast<std::int8_t>(same[0])), std::abs(wanted[0]));
}

TEST(OnnxQdq, OneScaleForATensorIsThatOfThePair) {
  Bits quantizer;
  quantizer.whole_tensor = true;
  const FrozenModel model = frozen_model(small_network, quantizer);
  const Parts file = parts_of(model, qdq);
  EXPECT_EQ(file.count("Mul"), 0);
  const float scale = floats_of(model, "conv/src/scale").at(0);
  EXPECT_EQ(file.floats(file.node("conv/src/codes").input(1)), std::vector{1 / scale});
}

TEST(OnnxQdq, CodesOfHalvesStayWhatTheyAre) {
  const Parts file = parts_of(small_model(4, true), qdq);
  const auto& pair = file.node("conv/src/codes");
  EXPECT_EQ(file.floats(pair.input(1)), std::vector{1.f});
  EXPECT_EQ(file.node(pair.input(0)).op_type(), "Mul") << "twice the halves";
}

TEST(OnnxQdq, Int8OnlyHasNoOtherCodesAndRefusesThoseThatDoNotFit) {
  const onnx::WriteOptions options{.form = Form::qdq, .int8_only = true};
  const Parts file = parts_of(small_model(7), options);
  for (const auto& tensor : file.file.graph().initializer()) EXPECT_NE(tensor.data_type(), Type::UINT8) << tensor.name();
  EXPECT_GT(file.count("QuantizeLinear"), 0);
  EXPECT_THAT(error_of(small_model(8), options),
              AllOf(HasSubstr("codes of activations go up to 255"), HasSubstr("layer grouped"), HasSubstr("act_prec = 7")));
}

TEST(OnnxQdq, LayersOfFloatsStayFloats) {
  Bits quantizer;
  const Parts file = parts_of(frozen_model(small_network, quantizer, {.integer = false}), qdq);
  EXPECT_EQ(file.count("QuantizeLinear"), 0);
  EXPECT_EQ(file.count("Conv"), 3);
  EXPECT_EQ(file.count("MatMul"), 1);
}

TEST(OnnxFloat, HoldsNothingButFloats) {
  Bits quantizer;
  const Parts file = parts_of(frozen_model(small_network, quantizer, {.compute = DType::bf16}), {.form = Form::floating});
  for (const auto& tensor : file.file.graph().initializer()) {
    EXPECT_THAT(tensor.data_type(), ::testing::AnyOf(Type::FLOAT, Type::INT64)) << tensor.name();
  }
  EXPECT_EQ(file.count("Cast"), 0);
  EXPECT_EQ(file.count("Conv"), 3);
}

}  // namespace
}  // namespace qfw::testing

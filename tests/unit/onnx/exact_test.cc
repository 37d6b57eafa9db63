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
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::string> quantize_signed{"Mul", "Clip", "Add", "Floor", "Add", "Cast"};
const std::vector<std::string> quantize_unsigned{"Mul", "Floor", "Clip", "Cast"};

TEST(OnnxExact, SaysEachOpAsOneNodeOrAFixedFew) {
  const Parts file = parts_of(small_model(8));
  std::vector<std::string> expected = quantize_signed;
  const auto then = [&](const std::vector<std::string>& more) { expected.insert(expected.end(), more.begin(), more.end()); };
  then({"ConvInteger", "Cast", "Mul", "Sub", "Mul", "Add", "Relu", "MaxPool"});
  then(quantize_unsigned);
  then({"ConvInteger", "Cast", "Mul", "Sub", "Mul", "Add", "Relu"});
  then(quantize_unsigned);
  then({"ConvInteger", "Cast", "Mul", "Relu"});
  then({"Cast", "Reshape", "CumSum", "Gather", "Cast", "Reshape", "Reshape", "Div"});
  then(quantize_unsigned);
  then({"MatMulInteger", "Cast", "Mul", "Add"});
  EXPECT_THAT(file.ops(), ElementsAreArray(expected));
}

TEST(OnnxExact, NamesSumsProductsAndTensorsAsTheGraphDoes) {
  const Parts file = parts_of(small_model(8));
  for (const std::string site : {"conv", "grouped", "last", "dense"}) {
    EXPECT_EQ(file.node(site + "/sums").op_type(), "Cast") << site;
    const auto& product = file.node(site + "/product");
    EXPECT_THAT(product.input(), ElementsAre(site + "/sums", site + "/factor"));
    file.initializer(site + "/weights/codes");
  }
  EXPECT_EQ(file.node("logits").op_type(), "Add");
  ASSERT_EQ(file.file.graph().output_size(), 1);
  EXPECT_EQ(file.file.graph().output(0).name(), "logits");
  EXPECT_THAT(file.initializer("bn/mean").dims(), ElementsAre(4, 1, 1));
  EXPECT_THAT(file.initializer("dense/bias").dims(), ElementsAre(3));
}

TEST(OnnxExact, KeepsTheNameOfAProductThatIsTheLogits) {
  Bits quantizer;
  const FrozenModel model = frozen_model(
      [](GraphBuilder& g, Value x, std::int64_t classes) {
        return layers::linear(g, "dense", mean_over_space(relu(x)), {.features = classes, .bias = false});
      },
      quantizer);
  const Parts file = parts_of(model);
  EXPECT_EQ(file.node("dense/product").op_type(), "Mul");
  EXPECT_EQ(file.node("logits").op_type(), "Identity");
}

/// What ConvInteger multiplies by, from a file's bytes: unpacked, dequantized, without the zero point.
std::vector<int> codes_of(const Parts& file, const std::string& site, const std::string& product) {
  const auto& held = file.initializer(site + "/weights/codes");
  const int bits = held.data_type() == Type::UINT2 ? 2 : held.data_type() == Type::UINT4 ? 4 : 8;
  const auto& zero = file.initializer(file.node(product).input(3));
  const float step = bits == 8 ? 1 : file.floats(file.node(site + "/weights/codes/f32").input(1)).at(0);
  std::int64_t count = 1;
  for (const std::int64_t extent : held.dims()) count *= extent;
  std::vector<int> codes;
  for (std::int64_t i = 0; i < count; ++i) {
    const int byte = static_cast<unsigned char>(held.raw_data().at(static_cast<std::size_t>(i * bits / 8)));
    const int stored = (byte >> (i * bits % 8)) & ((1 << bits) - 1);
    codes.push_back(stored * static_cast<int>(step) - static_cast<unsigned char>(zero.raw_data().at(0)));
  }
  return codes;
}

struct Case {
  int bits;
  bool halves;
  int opset;
  bool packed;
  int type;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.bits << " bits" << (c.halves ? " halves" : "") << " opset " << c.opset << (c.packed ? " packed" : "");
}

class OnnxWeights : public ::testing::TestWithParam<Case> {};

TEST_P(OnnxWeights, AreTheCodesInTheOrderOfOnnx) {
  const Case& c = GetParam();
  const FrozenModel model = small_model(c.bits, c.halves);
  const Parts file = parts_of(model, {.opset = c.opset, .packed = c.packed});
  EXPECT_EQ(file.initializer("conv/weights/codes").data_type(), c.type);
  EXPECT_THAT(file.initializer("conv/weights/codes").dims(), ElementsAre(4, 3, 3, 3));

  const std::vector<int> found = codes_of(file, "conv", "conv/conv2d");
  const auto* codes = reinterpret_cast<const std::int8_t*>(tensor(model, "conv/weights/codes").bytes->data());
  for (int o = 0; o < 4; ++o) {
    for (int i = 0; i < 3; ++i) {
      for (int t = 0; t < 9; ++t) EXPECT_EQ(found.at((o * 3 + i) * 9 + t), codes[(t * 3 + i) * 4 + o]) << o << " " << i;
    }
  }
  const std::vector<int> head = codes_of(file, "dense", "dense/dense");
  const auto* wanted = reinterpret_cast<const std::int8_t*>(tensor(model, "dense/weights/codes").bytes->data());
  EXPECT_THAT(head, ElementsAreArray(wanted, wanted + 12));
}

INSTANTIATE_TEST_SUITE_P(All, OnnxWeights,
                         ::testing::Values(Case{8, false, 21, true, Type::UINT8}, Case{4, false, 21, true, Type::UINT4},
                                           Case{4, false, 13, true, Type::UINT8}, Case{4, false, 21, false, Type::UINT8},
                                           Case{2, false, 25, true, Type::UINT2}, Case{2, false, 21, true, Type::UINT4},
                                           Case{4, true, 21, true, Type::UINT4}, Case{2, true, 25, true, Type::UINT2},
                                           Case{5, true, 25, true, Type::UINT8}));

TEST(OnnxExact, SaysPaddingStridesAndGroups) {
  const Parts file = parts_of(small_model());
  const auto& conv = file.node("conv/conv2d");
  EXPECT_THAT(file.ints(conv, "pads"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(file.ints(conv, "kernel_shape"), ElementsAre(3, 3));
  EXPECT_THAT(file.ints(conv, "strides"), ElementsAre(1, 1));
  EXPECT_THAT(file.ints(file.node("max_pool"), "pads"), ElementsAre(0, 0, 1, 1));
  bool grouped = false;
  for (const auto& attribute : file.node("grouped/conv2d").attribute()) {
    if (attribute.name() == "group") grouped = attribute.i() == 2;
  }
  EXPECT_TRUE(grouped);
  EXPECT_THAT(file.initializer("grouped/weights/codes").dims(), ElementsAre(6, 2, 1, 1));
}

TEST(OnnxExact, RoundsToBfloat16AfterEachOpThatTheGraphRounds) {
  Bits quantizer;
  const Parts file = parts_of(frozen_model(small_network, quantizer, {.compute = DType::bf16}));
  const auto& product = file.node("conv/product");
  ASSERT_EQ(product.op_type(), "Cast");
  EXPECT_EQ(product.attribute(0).i(), Type::FLOAT);
  const auto& rounded = file.node(product.input(0));
  ASSERT_EQ(rounded.op_type(), "Cast");
  EXPECT_EQ(rounded.attribute(0).i(), Type::BFLOAT16);
  EXPECT_EQ(file.node(rounded.input(0)).op_type(), "Mul");
  EXPECT_EQ(file.node("relu").input(0), "bn/cast") << "a ReLU rounds nothing";
}

std::string shape_of(const onnx::pb::ValueInfoProto& value) {
  std::string text = value.name() + " " + std::to_string(value.type().tensor_type().elem_type()) + ":";
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    text += " " + (dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
  }
  return text;
}

TEST(OnnxExact, TakesImagesInEitherLayoutOrPixels) {
  FrozenModel model = small_model();
  const auto input = [&](const onnx::WriteOptions& options) {
    return shape_of(parts_of(model, options).file.graph().input(0));
  };
  EXPECT_EQ(input({}), "images 1: N 3 4 4");
  EXPECT_EQ(input({.nhwc = true}), "images 1: N 4 4 3");
  EXPECT_EQ(input({.batch = 5}), "images 1: 5 3 4 4");
  EXPECT_EQ(input({.pixels = true}), "pixels 2: N 4 4 3");
  EXPECT_EQ(shape_of(parts_of(model, {.batch = 5}).file.graph().output(0)), "logits 1: 5 3");

  EXPECT_THAT(parts_of(model, {.pixels = true}).initializer("pixels/table").dims(), ElementsAre(256));
  model.preparation->mean = {0.25, 0.5, 0.75};
  model.preparation->bgr = true;
  const Parts file = parts_of(model, {.pixels = true});
  const auto ops = file.ops();
  EXPECT_THAT(std::vector(ops.begin(), ops.begin() + 5), ElementsAre("Gather", "Cast", "Add", "Gather", "Transpose"));
  const std::vector<float> table = file.floats("pixels/table");
  ASSERT_EQ(table.size(), 768u);
  EXPECT_EQ(table[256 + 255], 2) << "(1 - 0.5) / 0.25";
  EXPECT_EQ(table[512 + 255], 1) << "(1 - 0.75) / 0.25";
}

TEST(OnnxExact, MakesSubnormalNumbersZeroOnlyWhereTheyCouldBeSeen) {
  EXPECT_EQ(parts_of(small_model()).count("Where"), 0);
  // A floor of what may be a little below zero tells -2^-127 from zero. Pixels become no such number.
  const Parts halves = parts_of(small_model(4, true));
  ASSERT_EQ(halves.count("Where"), 1);
  EXPECT_THAT(halves.ops().front(), "Abs");
  EXPECT_EQ(parts_of(small_model(4, true), {.pixels = true}).count("Where"), 0);
}

TEST(OnnxExact, FindsSubnormalNumbersBehindConstantsThatAreTiny) {
  FrozenModel model = small_model();
  const auto set = [&](const std::string& name, float value) {
    for (ConstantTensor& each : model.graph.tensors) {
      if (each.name != name) continue;
      auto bytes = std::make_shared<std::vector<std::byte>>(*each.bytes);
      std::memcpy(bytes->data(), &value, sizeof value);
      each.bytes = bytes;
    }
  };
  set("bn/mean", 1e-40f);  // counts as zero
  Parts file = parts_of(model);
  EXPECT_EQ(file.count("Where"), 0);
  EXPECT_EQ(file.floats("bn/mean").at(0), 0);

  set("bn/mean", 0x1.000002p-110f);  // x - mean may be 2^-133, but all of beta takes that up
  EXPECT_EQ(parts_of(model).count("Where"), 0);
  set("bn/beta", 0);
  file = parts_of(model);
  EXPECT_EQ(file.count("Where"), 2);
  EXPECT_EQ(file.node("bn/subtract_2").op_type(), "Where");
  EXPECT_EQ(file.node("bn/multiply_3").op_type(), "Where") << "after the product of what is small";
}

TEST(OnnxExact, EqualArgumentsGiveEqualBytesAndAnyBatchTheSameFile) {
  const onnx::WriteOptions options{.opset = 25};
  EXPECT_EQ(onnx::write(small_model(2), {}, options), onnx::write(small_model(2), {}, options));
  Bits quantizer;
  const FrozenModel two = frozen_model(small_network, quantizer),
                    five = frozen_model(small_network, quantizer, {.images = {5, 4, 4, 3}});
  EXPECT_EQ(onnx::write(two, {}, {}), onnx::write(five, {}, {}));
}

// ---- refusals ----------------------------------------------------------------------------------------------------------

TEST(OnnxExact, RefusesALayerOfFloatsByNameWithReasonAndOtherForms) {
  Bits quantizer;
  const FrozenModel model = frozen_model(small_network, quantizer, {.integer = false});
  EXPECT_THAT(error_of(model, {}), AllOf(StartsWith("[onnx] form = exact is asked for, and conv is computed with floats: "),
                                         HasSubstr("(4 layers of 4 are)"), HasSubstr("form = qdq or form = float")));
  EXPECT_EQ(error_of(model, {.form = Form::floating}), "no error");
  EXPECT_EQ(error_of(model, {.form = Form::qdq}), "no error");
}

TEST(OnnxExact, RefusesOpsThatLibrariesDisagreeOn) {
  Bits quantizer;
  const FrozenModel model = frozen_model(
      [](GraphBuilder& g, Value x, std::int64_t classes) {
        {
          const auto scope = g.scope("gate");
          x = relu(x) * tanh(x);
        }
        return layers::linear(g, "dense", mean_over_space(relu(x)), {.features = classes});
      },
      quantizer);
  EXPECT_THAT(error_of(model, {}), AllOf(HasSubstr("the bits of tanh"), HasSubstr("layer gate"), HasSubstr("form = float")));
  EXPECT_EQ(parts_of(model, {.form = Form::floating}).count("Tanh"), 1);
}

TEST(OnnxExact, RefusesWhatNoFormSays) {
  Bits quantizer;
  const FrozenModel model = frozen_model(
      [](GraphBuilder& g, Value x, std::int64_t classes) {
        {
          const auto scope = g.scope("guard");
          x = relu(x * is_finite(x));
        }
        return layers::linear(g, "dense", mean_over_space(x), {.features = classes});
      },
      quantizer);
  for (const Form form : {Form::exact, Form::qdq, Form::floating}) {
    EXPECT_THAT(error_of(model, {.form = form}), AllOf(HasSubstr("no word for is_finite"), HasSubstr("layer guard")));
  }
}

TEST(OnnxExact, RefusesOptionsThatMeanNothing) {
  FrozenModel model = small_model();
  EXPECT_THAT(error_of(model, {.opset = 14}), HasSubstr("13, 21 and 25"));
  EXPECT_THAT(error_of(model, {.batch = -1}), HasSubstr("batch = -1"));
  EXPECT_THAT(error_of(model, {.int8_only = true}), HasSubstr("int8_only is asked for with form = exact"));
  model.preparation.reset();
  EXPECT_THAT(error_of(model, {.pixels = true}), HasSubstr("input = normalized"));
  EXPECT_EQ(error_of(model, {}), "no error");
}

TEST(OnnxExact, PromisesTheBits) {
  EXPECT_TRUE(onnx::promise(small_model(), {}).equal);
  for (const Form form : {Form::qdq, Form::floating}) {
    const Exporter::Promise promise = onnx::promise(small_model(), {.form = form});
    EXPECT_FALSE(promise.equal);
    EXPECT_FALSE(promise.reason.empty());
  }
}

}  // namespace
}  // namespace qfw::testing

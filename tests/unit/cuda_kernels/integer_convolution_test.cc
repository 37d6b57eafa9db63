#include "cuda/integer_convolution.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <cstring>

#include "cuda/code.h"
#include "host_device.h"
#include "qfw/error.h"

namespace qfw::cuda::test {
namespace {

using Weights = IntegerConvolution::Weights;

struct Case {
  std::int64_t images, height, width, in, out, kernel_height, kernel_width;
  Conv2d conv{};

  Shape src() const { return {images, height, width, in}; }
  Shape weights() const { return {kernel_height, kernel_width, in / conv.groups, out}; }
  Shape dst() const {
    const std::array<TensorType, 2> types{{{src(), DType::s8}, {weights(), DType::s8}}};
    return definition(Op::conv2d).infer(types, conv).front().shape;
  }
  ProductShape product(ProductShape::Kind kind, DType in_type) const {
    return {kind, conv, src(), weights(), dst(), in_type, DType::s32};
  }
  std::string str() const { return src().str() + " with " + weights().str() + " " + to_string(Attributes(conv)); }
};

Padding padding(std::int64_t n) { return {{n, n}, {n, n}}; }

/// Tails of rows, columns and depth; every tile, word and way; strides, asymmetric padding, groups.
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {1, 7, 7, 16, 16, 1, 1, {}},
      {2, 9, 8, 16, 24, 3, 3, {.padding = padding(1)}},
      {1, 14, 14, 64, 64, 3, 3, {.stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}},
      {2, 13, 13, 32, 130, 3, 3, {.padding = padding(1)}},
      {1, 13, 11, 48, 20, 5, 3, {.stride = {2, 1}, .padding = {{2, 1}, {1, 0}}}},
      {1, 17, 19, 3, 64, 7, 7, {.stride = {2, 2}, .padding = {{3, 2}, {3, 3}}}},
      {1, 9, 9, 17, 19, 3, 3, {.padding = padding(1)}},
      {1, 6, 6, 20, 9, 3, 3, {.padding = padding(1)}},
      {3, 5, 5, 50, 33, 3, 3, {.padding = padding(1)}},
      {1, 5, 4, 1, 1, 3, 3, {.padding = padding(1)}},
      {1, 4, 4, 512, 128, 3, 3, {.padding = padding(1)}},
      {1, 8, 8, 3, 4, 1, 1, {.stride = {4, 4}}},
      {2, 9, 7, 5, 6, 2, 3, {.stride = {3, 2}, .padding = {{1, 2}, {1, 2}}}},
      {1, 6, 6, 4, 4, 2, 2, {.padding = padding(3)}},
      {1, 17, 16, 128, 128, 1, 1, {}},
      {1, 3, 3, 80, 260, 1, 1, {}},
      // groups: a tile each; words of four channels; bytes; one channel, by four and singly; several outputs of one channel
      {1, 6, 5, 32, 64, 3, 3, {.padding = padding(1), .groups = 2}},
      {1, 5, 5, 34, 34, 3, 3, {.padding = padding(1), .groups = 2}},
      {2, 7, 5, 32, 32, 3, 3, {.stride = {2, 2}, .padding = padding(1), .groups = 4}},
      {2, 5, 7, 24, 36, 3, 3, {.padding = padding(1), .groups = 3}},
      {1, 6, 6, 15, 10, 3, 3, {.padding = padding(1), .groups = 5}},
      {2, 9, 7, 20, 20, 3, 3, {.stride = {2, 2}, .padding = {{1, 0}, {1, 1}}, .groups = 20}},
      {1, 6, 7, 7, 7, 5, 5, {.padding = padding(2), .groups = 7}},
      {1, 5, 5, 6, 24, 3, 3, {.padding = padding(1), .groups = 6}},
      {1, 4, 4, 6, 9, 1, 1, {.groups = 3}},  // a page's end right behind the last group
  };
  return all;
}
const std::vector<Case>& dense_cases() {
  static const std::vector<Case> all{{1, 1, 1, 1, 1, 1, 1},       {5, 1, 1, 17, 3, 1, 1},     {16, 1, 1, 256, 10, 1, 1},
                                     {33, 1, 1, 1030, 100, 1, 1}, {150, 1, 1, 64, 200, 1, 1}, {2, 1, 1, 2048, 64, 1, 1}};
  return all;
}

Case extremes() { return {1, 4, 4, 96, 48, 3, 3, {.padding = padding(1)}}; }

const Makes made([](Device& device) {
  for (const DType type : {DType::u8, DType::s8})
    IntegerConvolution(device, extremes().product(ProductShape::Kind::forward, type), Weights::packed);
  for (const auto* list : {&cases(), &dense_cases()}) {
    for (const Case& test : *list) {
      for (const DType type : {DType::u8, DType::s8})
        IntegerConvolution(device, test.product(ProductShape::Kind::forward, type), Weights::packed);
      IntegerConvolution(device, test.product(ProductShape::Kind::grad_src, DType::s8), Weights::packed);
    }
  }
});

class IntegerConvolutionOf : public testing::TestWithParam<std::tuple<int, emulated::Schedule>> {
 protected:
  HostDevice device{std::get<0>(GetParam()), 4, std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Devices, IntegerConvolutionOf,
                         testing::Combine(testing::ValuesIn(architectures), testing::ValuesIn(emulated::schedules)));

TEST_P(IntegerConvolutionOf, ForwardEqualsTheReference) {
  unsigned seed = 1;
  for (const Case& test : cases()) {
    for (const DType type : {DType::u8, DType::s8}) {
      const TensorType types[] = {{test.src(), type}, {test.weights(), DType::s8}};
      const Bytes inputs[] = {random_codes(types[0].bytes(), seed), random_codes(types[1].bytes(), seed + 1)};
      seed += 2;
      IntegerConvolution kernel(device, test.product(ProductShape::Kind::forward, type), Weights::as_they_are);
      const Bytes expected = reference(Op::conv2d, test.conv, types, inputs);
      EXPECT_TRUE(run(kernel, inputs, expected.size()) == expected)
          << test.str() << " " << name_of(type) << ": " << kernel.implementation();
    }
  }
}

TEST_P(IntegerConvolutionOf, GradientOfSrcEqualsTheReference) {
  unsigned seed = 1000;
  for (const Case& test : cases()) {
    const TensorType types[] = {{test.dst(), DType::s8}, {test.weights(), DType::s8}};
    const Bytes inputs[] = {random_codes(types[0].bytes(), seed), random_codes(types[1].bytes(), seed + 1)};
    seed += 2;
    IntegerConvolution kernel(device, test.product(ProductShape::Kind::grad_src, DType::s8), Weights::as_they_are);
    const Bytes expected = reference(Op::conv2d_grad_src, Conv2dGrad{test.conv, test.src()}, types, inputs);
    EXPECT_TRUE(run(kernel, inputs, expected.size()) == expected) << test.str() << ": " << kernel.implementation();
  }
}

TEST_P(IntegerConvolutionOf, DenseEqualsTheReference) {
  unsigned seed = 2000;
  for (const Case& test : dense_cases()) {
    for (const DType type : {DType::u8, DType::s8}) {
      const TensorType types[] = {{{test.images, test.in}, type}, {{test.in, test.out}, DType::s8}};
      const Bytes inputs[] = {random_codes(types[0].bytes(), seed), random_codes(types[1].bytes(), seed + 1)};
      seed += 2;
      IntegerConvolution kernel(device, test.product(ProductShape::Kind::forward, type), Weights::as_they_are);
      const Bytes expected = reference(Op::dense, Dense{}, types, inputs);
      EXPECT_TRUE(run(kernel, inputs, expected.size()) == expected)
          << test.str() << " " << name_of(type) << ": " << kernel.implementation();
    }
  }
}

TEST_P(IntegerConvolutionOf, IsExactAtTheExtremes) {
  const Case test = extremes();
  for (const auto& [type, code] : {std::pair{DType::u8, 255}, {DType::s8, -128}, {DType::s8, 127}}) {
    for (const int weight : {-128, 127}) {
      const TensorType types[] = {{test.src(), type}, {test.weights(), DType::s8}};
      const Bytes inputs[] = {Bytes(types[0].bytes(), static_cast<std::byte>(code)),
                              Bytes(types[1].bytes(), static_cast<std::byte>(weight))};
      IntegerConvolution kernel(device, test.product(ProductShape::Kind::forward, type), Weights::as_they_are);
      const Bytes expected = reference(Op::conv2d, test.conv, types, inputs);
      EXPECT_TRUE(run(kernel, inputs, expected.size()) == expected) << code << " x " << weight;
    }
  }
}

TEST(IntegerConvolution, ReadsWeightsThatWerePackedBefore) {
  for (const int architecture : architectures) {
    HostDevice device(architecture);
    for (const Case& test : {cases()[8], cases()[18], cases()[21]}) {
      for (const auto kind : {ProductShape::Kind::forward, ProductShape::Kind::grad_src}) {
        const bool forward = kind == ProductShape::Kind::forward;
        const TensorType types[] = {{forward ? test.src() : test.dst(), DType::s8}, {test.weights(), DType::s8}};
        const Bytes inputs[] = {random_codes(types[0].bytes(), 1), random_codes(types[1].bytes(), 2)};
        IntegerConvolution kernel(device, test.product(kind, DType::s8), Weights::packed);
        const Guarded weights(inputs[1]), packed(kernel.operands().packed_bytes());
        kernel.operands().pack(weights.data(), packed.data());
        EXPECT_TRUE(packed.intact());
        const Bytes given[] = {inputs[0], packed.bytes()};
        const Bytes expected = forward ? reference(Op::conv2d, test.conv, types, inputs)
                                       : reference(Op::conv2d_grad_src, Conv2dGrad{test.conv, test.src()}, types, inputs);
        EXPECT_TRUE(run(kernel, given, expected.size()) == expected) << test.str() << ": " << kernel.implementation();
      }
    }
  }
}

/// The texts of all ways that tests take: a case that no longer takes its way would test nothing.
TEST(IntegerConvolution, TakesEveryWay) {
  for (const int architecture : architectures) {
    HostDevice device(architecture);
    std::string ways;
    for (const Case& test : cases())
      ways +=
          IntegerConvolution(device, test.product(ProductShape::Kind::forward, DType::u8), Weights::packed).implementation() +
          "\n";
    const char* const step = architecture == 90 ? "mma_16x8x32" : architecture == 75 ? "mma_8x8x16" : "dot4";
    for (const char* tile : {"128x64", "128x32", "64x64"})
      EXPECT_THAT(ways, testing::HasSubstr(fmt::format("{}, {}", tile, step)));
    for (const char* way : {"4 bytes a copy", "16 bytes a copy", "depth in", "padded to 4", "padded to 64",
                            "4 channels a thread", "1 columns a thread", "4 columns a thread"})
      EXPECT_THAT(ways, testing::HasSubstr(way));
  }
}

TEST(IntegerConvolution, SharesOutTheDepthOnlyWhereBlocksAreFew) {
  HostDevice few(90, 1), many(90, 132);
  const Case test{1, 4, 4, 512, 128, 3, 3, {.padding = padding(1)}};
  const auto text = [&](HostDevice& device) {
    return IntegerConvolution(device, test.product(ProductShape::Kind::forward, DType::u8), Weights::packed).implementation();
  };
  EXPECT_THAT(text(few), testing::Not(testing::HasSubstr("depth in")));
  EXPECT_THAT(text(many), testing::HasSubstr("depth in 18 parts"));
}

TEST(IntegerConvolution, TellsWhatADeviceLacks) {
  HostDevice device(60);
  try {
    IntegerConvolution(device, cases()[0].product(ProductShape::Kind::forward, DType::u8), Weights::packed);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::usage);
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("u8[1, 7, 7, 16]"),
                                             testing::HasSubstr("no dot product of bytes"), testing::HasSubstr("fake_quant")));
  }
}

TEST(IntegerConvolution, DoesNothingForNoImages) {
  HostDevice device(90);
  const Case test{0, 7, 7, 16, 16, 1, 1, {}};
  IntegerConvolution kernel(device, test.product(ProductShape::Kind::forward, DType::u8), Weights::as_they_are);
  const Bytes inputs[] = {{}, random_codes(256, 1)};
  run(kernel, inputs, 0);
  EXPECT_EQ(device.launches, 0);
}

}  // namespace
}  // namespace qfw::cuda::test

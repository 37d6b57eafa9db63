#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <memory>

#include "matmul/grad_weights_gemm.h"
#include "matmul/integer_gemm.h"
#include "matmul/integer_words.h"
#include "single.h"

/// Groups of few channels, whose kernels are others, on every instruction set.
namespace qfw::cpu::test {
namespace {

using testing::HasSubstr;

std::vector<double> gradient(const ConvCase& test, const Bytes& src, const Bytes& grad, DType type) {
  const auto a = numbers(src, type), g = numbers(grad, type);
  std::vector<double> sums(static_cast<std::size_t>(test.weights().count()));
  test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[w] += a[s] * g[d]; });
  return sums;
}

Graph gradient_graph(const ConvCase& test, DType type) {
  return single(Op::conv2d_grad_weights, {test.src(), type}, {test.dst(), type}, Conv2dGrad{test.conv, test.weights()},
                {test.weights(), DType::f32});
}

void expect_gradient(const ConvCase& test, DType type, int threads) {
  const Bytes src = random_floats({test.src(), type}, 1), grad = random_floats({test.dst(), type}, 2);
  Context context{.threads = threads, .implementation = Implementation::own};
  expect_near(numbers(run(gradient_graph(test, type), {src, grad}, context), DType::f32), gradient(test, src, grad, type), 3e-6,
              test.str() + " " + name_of(type) + " " + gradient_target());
}

TEST(Groups, GradientOfWeights) {
  with_each_instruction_set([] {
    int index = 0;
    for (const ConvCase& test : grouped_cases()) {
      for (const DType type : {DType::f32, DType::bf16}) expect_gradient(test, type, ++index % 4 == 0 ? 3 : 1);
    }
  });
}

TEST(Groups, GradientOfWeightsOfRandomShapes) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    for (const DType type : {DType::f32, DType::bf16}) expect_gradient(random_grouped_case(seed), type, 1);
  }
}

// Several bands of rows for each image and thread.
TEST(Groups, GradientOfWeightsOfLargeImages) {
  for (const ConvCase& test :
       {ConvCase{2, 60, 64, 72, 72, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 72}},
        ConvCase{1, 50, 66, 48, 48, 3, 3, {.stride = {2, 2}, .padding = {{0, 0}, {1, 1}}, .groups = 12}}}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      for (const int threads : {1, 3}) expect_gradient(test, type, threads);
    }
  }
}

// What is no number reaches those sums that it belongs to, and no others: padding multiplies nothing.
TEST(Groups, GradientOfWeightsKeepsWhatIsNoNumber) {
  const ConvCase test{1, 5, 6, 20, 20, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 20}};
  std::vector<float> src(static_cast<std::size_t>(test.src().count()), 1.0f);
  std::vector<float> grad(static_cast<std::size_t>(test.dst().count()), 1.0f);
  src[3] = std::numeric_limits<float>::quiet_NaN();   // the first pixel: met by the kernel's middle and what is left and above
  grad[17] = std::numeric_limits<float>::infinity();  // the first result: meets the kernel's middle and what is right and below
  const auto bytes = [](const std::vector<float>& values) {
    Bytes result(values.size() * sizeof(float));
    std::memcpy(result.data(), values.data(), result.size());
    return result;
  };
  const auto expected = gradient(test, bytes(src), bytes(grad), DType::f32);
  with_each_instruction_set([&] {
    Context context{.threads = 2, .implementation = Implementation::own};
    const auto found = numbers(run(gradient_graph(test, DType::f32), {bytes(src), bytes(grad)}, context), DType::f32);
    int nan = 0, infinite = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(std::isnan(found[i]), std::isnan(expected[i])) << i;
      EXPECT_EQ(std::isinf(found[i]), std::isinf(expected[i])) << i;
      nan += std::isnan(found[i]);
      infinite += std::isinf(found[i]);
    }
    EXPECT_EQ(nan, 4);
    EXPECT_EQ(infinite, 4);
  });
}

struct Codes {
  DType type;
  int low, high, least_weight, greatest_weight;
};

/// The product by that loop, against plain loops; both at random and at the ends of their ranges.
void expect_words(const ConvCase& test, WordLoop loop, const Codes& codes, unsigned seed) {
  for (const bool ends : {false, true}) {
    const Bytes src = random_integers({test.src(), codes.type}, ends ? codes.high : codes.low, codes.high, seed);
    const Bytes weights = random_integers({test.weights(), DType::s8}, codes.least_weight,
                                          ends ? codes.least_weight : codes.greatest_weight, seed + 1);
    const auto a = numbers(src, codes.type), b = numbers(weights, DType::s8);
    std::vector<std::int32_t> expected(static_cast<std::size_t>(test.dst().count()));
    test.for_each(
        [&](std::int64_t s, std::int64_t w, std::int64_t d) { expected[d] += static_cast<std::int32_t>(a[s] * b[w]); });

    const Graph graph =
        single(Op::conv2d, {test.src(), codes.type}, {test.weights(), DType::s8}, test.conv, {test.dst(), DType::s32});
    WordProduct product;
    product.geometry = geometry_of(graph, graph.nodes.back());
    product.loop = loop;
    product.src = reinterpret_cast<const std::uint8_t*>(src.data());
    product.src_signed = codes.type == DType::s8;
    product.offset = product.src_signed ? -codes.low : 0;
    const int weight = std::max(-codes.least_weight, codes.greatest_weight);
    product.widen_after = 32767 / (2 * (codes.high + product.offset) * weight);
    ASSERT_TRUE(loop != WordLoop::quads || product.widen_after >= 1) << "the case is wrong";
    const Geometry& g = product.geometry;
    const auto at_64 = [](std::vector<std::byte>& memory, std::size_t bytes) {
      memory.resize(bytes + 64);
      void* at = memory.data();
      std::size_t space = memory.size();
      return static_cast<std::byte*>(std::align(64, bytes, at, space));
    };
    const std::int64_t vectors = (g.o + word_lanes() - 1) / word_lanes();
    const std::int64_t packed_bytes = words_per_channel(g, loop) * word_lanes() * 4;
    Bytes packed_memory, buffer_memory;
    std::byte* packed = at_64(packed_memory, static_cast<std::size_t>(vectors * packed_bytes));
    std::vector<std::int32_t> compensation(static_cast<std::size_t>(vectors * word_lanes()));
    for (std::int64_t v = 0; v < vectors; ++v) {
      pack_words(product, reinterpret_cast<const std::int8_t*>(weights.data()), v, packed + v * packed_bytes,
                 compensation.data() + v * word_lanes());
    }
    product.weights = packed;
    if (codes_per_word(loop) == 4) product.compensation = compensation.data();
    std::byte* buffer = at_64(buffer_memory, word_buffer_bytes(g, loop));
    const std::int64_t rows = g.n * g.oh;
    for (const bool stream : {false, true}) {
      if (stream && (word_channels() != 16 || g.o % word_channels() != 0)) continue;
      std::vector<std::int32_t> found(expected.size(), -1);
      Bytes aligned;
      product.dst = found.data();
      product.stream = stream;
      if (stream) product.dst = reinterpret_cast<std::int32_t*>(at_64(aligned, found.size() * sizeof(std::int32_t)));
      multiply(product, {.row = 0, .row_end = rows / 2, .buffer = buffer});
      multiply(product, {.row = rows / 2, .row_end = rows, .buffer = buffer});
      if (stream) std::copy_n(product.dst, found.size(), found.data());
      ASSERT_EQ(found, expected) << test.str() << " " << name_of(loop) << " " << integer_target() << " codes up to "
                                 << codes.high << ", weights " << codes.least_weight << (stream ? ", past the caches" : "");
    }
  }
}

void expect_words_of_every_loop(const ConvCase& test, unsigned seed) {
  for (const WordLoop loop : {WordLoop::pairs, WordLoop::quads, WordLoop::vnni, WordLoop::floats}) {
    if (!has_word_loop(loop) || (loop == WordLoop::floats && test.conv.groups != test.c)) continue;
    if (loop != WordLoop::quads) {
      expect_words(test, loop, {DType::u8, 0, 255, -128, 127}, seed);
      expect_words(test, loop, {DType::s8, -128, 127, -128, 127}, seed);
      continue;
    }
    expect_words(test, loop, {DType::u8, 0, 15, -8, 7}, seed);
    expect_words(test, loop, {DType::u8, 0, 127, -128, 127}, seed);  // one step fills 16 bits
    expect_words(test, loop, {DType::u8, 0, 255, -21, 20}, seed);    // three do
    expect_words(test, loop, {DType::s8, -8, 7, -128, 127}, seed);
  }
}

TEST(Groups, IntegerProductOfEveryLoop) {
  with_each_instruction_set([] {
    unsigned seed = 1;
    for (const ConvCase& test : grouped_cases()) expect_words_of_every_loop(test, ++seed);
  });
}

// Floats hold every sum up to 2^24: the largest kernel of codes and weights of 8 bits, and one that is too large.
TEST(Groups, FloatsAreTakenWhereTheyAreExact) {
  const auto kernel = [](std::int64_t h, std::int64_t w) { return ConvCase{1, h + 1, w + 2, 16, 16, h, w, {.groups = 16}}; };
  const auto loop_of = [](const ConvCase& test, int weight) {
    const Graph graph =
        single(Op::conv2d, {test.src(), DType::u8}, {test.weights(), DType::s8}, test.conv, {test.dst(), DType::s32});
    const Bytes weights = random_integers({test.weights(), DType::s8}, weight, weight, 1);
    const Graph constant = with_constant_weights(graph, {{}, weights});
    Context context{.threads = 1, .implementation = Implementation::own};
    const Bytes src = random_integers({test.src(), DType::u8}, 255, 255, 2);
    for (const std::int32_t sum : as<std::int32_t>(run(graph, {src, weights}, context))) {
      EXPECT_EQ(sum, test.kh * test.kw * 255 * weight);
    }
    return make_matmul(constant, constant.nodes.back(), context)->implementation();
  };
  const std::string largest = loop_of(kernel(2, 257), -128), too_large = loop_of(kernel(5, 103), -128);
  if (has_word_loop(WordLoop::vnni) || !floats_are_faster()) return;
  EXPECT_THAT(largest, HasSubstr("own groups f32"));
  EXPECT_THAT(too_large, HasSubstr("own groups s16"));
  EXPECT_THAT(loop_of(kernel(3, 3), -128), HasSubstr("own groups f32"));
  EXPECT_THAT(loop_of(kernel(3, 3), 7), HasSubstr("own groups f32"));  // though 16 bits would hold four steps and more
}

// Floats keep an image's rows, all of them or as many as fit: small images of every size, one that is deeper and one that is
// wider than what is kept, a kernel that lies outside the image with all its rows, more channels out than in.
TEST(Groups, IntegerProductOfDepthwiseImages) {
  std::vector<ConvCase> all;
  const std::int64_t channels[] = {5, 16, 19, 40, 8};
  const auto add = [&](std::int64_t h, std::int64_t w, std::int64_t kernel, const Conv2d& conv) {
    const std::int64_t c = channels[all.size() % 5], out = all.size() % 7 == 0 ? 2 : 1;
    const Conv2d in_groups{.stride = conv.stride, .padding = conv.padding, .groups = c};
    all.push_back({2, h, w, c, c * out, kernel, kernel, in_groups});
  };
  for (std::int64_t size = 1; size <= 7; ++size) {
    for (const std::int64_t kernel : {3, 5}) {
      const std::int64_t half = kernel / 2;
      for (const std::int64_t stride : {1, 2}) {
        const Extent strides{stride, stride};
        add(size, size, kernel, {.stride = strides, .padding = {{half, half}, {half, half}}});
        add(size, 8 - size, kernel, {.stride = strides, .padding = {{0, half}, {kernel - 1, kernel - 1}}});
        add(8 - size, size, kernel, {.stride = {stride, 3 - stride}, .padding = {{half + 1, 0}, {half, kernel - 1}}});
      }
    }
  }
  add(40, 41, 3, {.padding = {{1, 1}, {1, 1}}});
  add(45, 33, 5, {.stride = {2, 2}, .padding = {{1, 2}, {2, 2}}});
  add(9, 300, 3, {.padding = {{1, 1}, {1, 1}}});
  add(9, 300, 5, {.stride = {3, 2}, .padding = {{2, 0}, {2, 4}}});
  add(2, 9, 3, {.padding = {{4, 1}, {3, 1}}});
  with_each_instruction_set([&] {
    unsigned seed = 1;
    for (const ConvCase& test : all) {
      expect_words(test, WordLoop::floats, {DType::u8, 0, 255, -128, 127}, ++seed);
      expect_words(test, WordLoop::floats, {DType::s8, -128, 127, -128, 127}, ++seed);
    }
  });
}

TEST(Groups, IntegerProductOfRandomShapes) {
  with_each_instruction_set([] {
    for (unsigned seed = 1; seed <= 12; ++seed) expect_words_of_every_loop(random_grouped_case(100 + seed), seed);
  });
}

TEST(Groups, IntegerProductOfLargeImages) {
  expect_words_of_every_loop({2, 60, 64, 72, 72, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 72}}, 1);
  expect_words_of_every_loop({1, 50, 66, 48, 48, 3, 3, {.stride = {2, 2}, .padding = {{0, 0}, {1, 1}}, .groups = 12}}, 2);
}

}  // namespace
}  // namespace qfw::cpu::test

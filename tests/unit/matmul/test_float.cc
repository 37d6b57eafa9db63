#include "matmul/bf16_tiles.h"
#include "matmul/convert.h"
#include "matmul/primitive.h"
#include "single.h"

namespace qfw::cpu::test {
namespace {

// Of the largest value: sums of a few thousand f32 products; one rounding to bf16 besides.
constexpr double f32_tolerance = 3e-6, bf16_tolerance = 4.1e-3;

double tolerance(DType type) { return type == DType::f32 ? f32_tolerance : bf16_tolerance; }

TEST(Float, Forward) {
  int index = 0;
  for (const ConvCase& test : cases()) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Bytes src = random_floats({test.src(), type}, 1), weights = random_floats({test.weights(), type}, 2);
      const auto a = numbers(src, type), b = numbers(weights, type);
      std::vector<double> sums(static_cast<std::size_t>(test.dst().count()));
      test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[d] += a[s] * b[w]; });
      Context context{.threads = ++index % 8 == 0 ? 2 : 1};
      const Bytes result = run(single(Op::conv2d, {test.src(), type}, {test.weights(), type}, test.conv, {test.dst(), type}),
                               {src, weights}, context);
      expect_near(numbers(result, type), sums, tolerance(type), test.str() + " " + name_of(type));
    }
  }
}

TEST(Float, BackwardData) {
  int index = 0;
  for (const ConvCase& test : cases()) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Bytes grad = random_floats({test.dst(), type}, 3), weights = random_floats({test.weights(), type}, 4);
      const auto g = numbers(grad, type), b = numbers(weights, type);
      std::vector<double> sums(static_cast<std::size_t>(test.src().count()));
      test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[s] += g[d] * b[w]; });
      Context context{.threads = ++index % 8 == 0 ? 2 : 1};
      const Graph graph = single(Op::conv2d_grad_src, {test.dst(), type}, {test.weights(), type},
                                 Conv2dGrad{test.conv, test.src()}, {test.src(), type});
      expect_near(numbers(run(graph, {grad, weights}, context), type), sums, tolerance(type), test.str() + " " + name_of(type));
    }
  }
}

TEST(Float, BackwardWeights) {
  std::size_t index = 0;
  for (const ConvCase& test : cases()) {
    ++index;
    for (const DType type : {DType::f32, DType::bf16}) {
      const Bytes src = random_floats({test.src(), type}, 5), grad = random_floats({test.dst(), type}, 6);
      const auto a = numbers(src, type), g = numbers(grad, type);
      std::vector<double> sums(static_cast<std::size_t>(test.weights().count()));
      test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[w] += a[s] * g[d]; });
      const Graph graph = single(Op::conv2d_grad_weights, {test.src(), type}, {test.dst(), type},
                                 Conv2dGrad{test.conv, test.weights()}, {test.weights(), DType::f32});
      for (const Implementation implementation : {Implementation::library, Implementation::own}) {
        for (const int threads : threads_of(index)) {
          Context context{.threads = threads, .implementation = implementation};
          expect_near(numbers(run(graph, {src, grad}, context), DType::f32), sums, f32_tolerance,
                      test.str() + " " + name_of(type));
        }
      }
    }
  }
}

// Many rows, so that several slices and threads add up; a depth that several threads share; few channels, whose src is copied.
TEST(Float, BackwardWeightsOfManyRows) {
  std::vector<std::pair<DType, DType>> types = {{DType::f32, DType::f32}, {DType::bf16, DType::bf16}};
  if (has_bf16_tiles() && library_has_tiles()) types.insert(types.end(), {{DType::u8, DType::bf16}, {DType::s8, DType::bf16}});
  for (const ConvCase& test :
       {ConvCase{8, 20, 20, 5, 18, 3, 3, {.padding = {{1, 1}, {1, 1}}}}, ConvCase{8, 13, 11, 130, 300, 1, 1, {}},
        ConvCase{2, 14, 14, 60, 280, 3, 3, {.padding = {{1, 1}, {1, 1}}}},
        ConvCase{3, 31, 30, 3, 40, 7, 7, {.stride = {2, 2}, .padding = {{3, 2}, {2, 3}}}},
        ConvCase{2, 20, 20, 60, 66, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 2}}}) {
    for (const auto& [src_type, grad_type] : types) {
      const bool integer = src_type == DType::u8 || src_type == DType::s8;
      if (integer && test.conv.groups > 1) continue;
      const TensorType src_of{test.src(), src_type}, grad_of{test.dst(), grad_type};
      const Bytes src = integer ? random_integers(src_of, 0, 127, 5) : random_floats(src_of, 5),
                  grad = random_floats(grad_of, 6);
      const auto a = numbers(src, src_type), g = numbers(grad, grad_type);
      std::vector<double> sums(static_cast<std::size_t>(test.weights().count()));
      test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[w] += a[s] * g[d]; });
      for (const int threads : {1, 2, 3}) {
        Context context{.threads = threads, .implementation = Implementation::own};
        const Graph graph = single(Op::conv2d_grad_weights, src_of, grad_of, Conv2dGrad{test.conv, test.weights()},
                                   {test.weights(), DType::f32});
        expect_near(numbers(run(graph, {src, grad}, context), DType::f32), sums, f32_tolerance, test.str());
      }
    }
  }
}

TEST(Float, Dense) {
  for (const auto& [n, i, o] : {std::tuple{1, 1, 1}, {5, 17, 3}, {16, 256, 10}, {33, 1030, 100}}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const ConvCase test{n, 1, 1, i, o, 1, 1, {}};
      const Bytes src = random_floats({{n, i}, type}, 7), weights = random_floats({{i, o}, type}, 8);
      const auto a = numbers(src, type), b = numbers(weights, type);
      std::vector<double> sums(static_cast<std::size_t>(n * o));
      test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[d] += a[s] * b[w]; });
      Context context{.threads = 2};
      const Bytes result =
          run(single(Op::dense, {{n, i}, type}, {{i, o}, type}, Dense{}, {{n, o}, type}), {src, weights}, context);
      expect_near(numbers(result, type), sums, tolerance(type), "dense");
    }
  }
}

// Two kernels of one context share its scratch memory, which moves while kernels are made.
TEST(Float, KernelsShareScratch) {
  Context context{.threads = 2};
  const ConvCase small{1, 5, 5, 3, 17, 3, 3, {}}, large{4, 16, 16, 64, 64, 3, 3, {}};
  const auto graph = [](const ConvCase& test) {
    return single(Op::conv2d, {test.src(), DType::bf16}, {test.weights(), DType::bf16}, test.conv, {test.dst(), DType::bf16});
  };
  const Graph first = graph(small), second = graph(large);
  const auto kernel = make_matmul(first, first.nodes.back(), context);
  const auto other = make_matmul(second, second.nodes.back(), context);
  const Bytes src = random_floats({small.src(), DType::bf16}, 1), weights = random_floats({small.weights(), DType::bf16}, 2);
  Bytes alone(first.nodes.back().outputs[0].bytes());
  {
    Context own{.threads = 2};
    alone = run(first, {src, weights}, own);
  }
  const std::size_t size = context.scratch.size();
  Bytes result(alone.size());
  const std::vector<const void*> inputs{src.data(), weights.data()};
  void* const place = result.data();
  kernel->run({}, inputs, {&place, 1});
  EXPECT_EQ(result, alone);
  EXPECT_EQ(context.scratch.size(), size) << "run must not allocate";
}

TEST(Convert, RoundsHalfToEvenAndKeepsNaN) {
  std::vector<float> values{0.0f,
                            -0.0f,
                            1.0f,
                            1.00390625f,
                            1.01171875f,
                            3.4e38f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::denorm_min()};
  values.push_back(std::bit_cast<float>(0x7f800001u));
  values.push_back(std::bit_cast<float>(0xffffffffu));
  std::mt19937 generator(1);
  for (int i = 0; i < 40000; ++i) values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(generator())));
  std::vector<BFloat16> narrowed(values.size());
  narrow(values.data(), static_cast<std::int64_t>(values.size()), narrowed.data(), 2);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(narrowed[i].bits, BFloat16(values[i]).bits) << values[i];
  std::vector<float> widened(values.size());
  widen(narrowed.data(), static_cast<std::int64_t>(values.size()), widened.data(), 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(widened[i]), static_cast<std::uint32_t>(narrowed[i].bits) << 16);
  }
}

}  // namespace
}  // namespace qfw::cpu::test

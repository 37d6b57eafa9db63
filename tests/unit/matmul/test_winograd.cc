#include <cmath>
#include <cstring>
#include <limits>

#include "single.h"

namespace qfw::cpu::test {
namespace {

Conv2d padded(std::int64_t top, std::int64_t left, std::int64_t bottom, std::int64_t right) {
  return {.padding = {{top, left}, {bottom, right}}};
}

/// Whole tiles and not, images smaller than a tile, every padding, panels that are full and not, more rows than are multiplied
/// at once.
std::vector<ConvCase> winograd_cases() {
  return {{1, 1, 1, 16, 16, 3, 3, padded(1, 1, 1, 1)},   {2, 7, 7, 32, 48, 3, 3, padded(1, 1, 1, 1)},
          {3, 14, 13, 48, 32, 3, 3, padded(1, 1, 1, 1)}, {1, 8, 12, 64, 64, 3, 3, padded(1, 1, 1, 1)},
          {2, 3, 5, 16, 80, 3, 3, padded(0, 0, 0, 0)},   {1, 9, 4, 80, 16, 3, 3, padded(2, 2, 2, 2)},
          {2, 6, 5, 32, 32, 3, 3, padded(0, 1, 2, 0)},   {1, 5, 6, 416, 32, 3, 3, padded(1, 0, 0, 2)},
          {5, 20, 17, 32, 32, 3, 3, padded(1, 1, 1, 1)}, {1, 4, 4, 32, 416, 3, 3, padded(1, 1, 1, 1)}};
}

Graph forward(const ConvCase& test, DType type = DType::f32) {
  return single(Op::conv2d, {test.src(), type}, {test.weights(), type}, test.conv, {test.dst(), type});
}
Graph backward(const ConvCase& test) {
  return single(Op::conv2d_grad_src, {test.dst(), DType::f32}, {test.weights(), DType::f32}, Conv2dGrad{test.conv, test.src()},
                {test.src(), DType::f32});
}

std::string implementation_of(const Graph& graph, Context& context) {
  return make_matmul(graph, graph.nodes.back(), context)->implementation();
}

TEST(Winograd, EqualsTheDefinition) {
  std::size_t index = 0;
  for (const ConvCase& test : winograd_cases()) {
    const Bytes src = random_floats({test.src(), DType::f32}, 1), weights = random_floats({test.weights(), DType::f32}, 2),
                grad = random_floats({test.dst(), DType::f32}, 3);
    const auto a = as<float>(src), b = as<float>(weights), g = as<float>(grad);
    std::vector<double> sums(static_cast<std::size_t>(test.dst().count())), gradient(a.size());
    test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) {
      sums[d] += double{a[s]} * b[w];
      gradient[s] += double{g[d]} * b[w];
    });
    with_each_instruction_set([&] {
      for (const int threads : threads_of(index)) {
        Context context{.threads = threads, .winograd = true};
        const std::string what = test.str() + ", " + implementation_of(forward(test), context);
        ASSERT_NE(what.find("winograd"), std::string::npos) << what;
        expect_near(numbers(run(forward(test), {src, weights}, context), DType::f32), sums, 3e-6, what);
        expect_near(numbers(run(backward(test), {grad, weights}, context), DType::f32), gradient, 3e-6, "gradient of " + what);
      }
    });
    ++index;
  }
}

// Points of another choice have twice the error (docs/numerics.md).
TEST(Winograd, IsNearlyAsExactAsTheSum) {
  const ConvCase test{1, 16, 16, 256, 32, 3, 3, padded(0, 0, 0, 0)};
  const Bytes src = random_floats({test.src(), DType::f32}, 1), weights = random_floats({test.weights(), DType::f32}, 2);
  const auto a = as<float>(src), b = as<float>(weights);
  std::vector<double> sums(static_cast<std::size_t>(test.dst().count()));
  test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[d] += double{a[s]} * b[w]; });
  const auto relative_error = [&](bool winograd) {
    Context context{.winograd = winograd};
    const auto found = as<float>(run(forward(test), {src, weights}, context));
    double error = 0, total = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      error += std::pow(found[i] - sums[i], 2);
      total += sums[i] * sums[i];
    }
    return std::sqrt(error / total);
  };
  EXPECT_LT(relative_error(true), 1.6e-6);
  EXPECT_LT(relative_error(true), 4 * relative_error(false));
}

// What evaluations promise: an image has the same bits in every batch and with any number of threads.
TEST(Winograd, OfAnImageHasTheSameBitsInEveryBatch) {
  for (const std::int64_t size : {7, 14, 30}) {
    const ConvCase all{9, size, size, 64, 96, 3, 3, padded(1, 1, 1, 1)};
    ConvCase one = all;
    one.n = 1;
    const Bytes src = random_floats({all.src(), DType::f32}, 1), weights = random_floats({all.weights(), DType::f32}, 2);
    Context context{.threads = 3, .winograd = true};
    const Bytes together = run(forward(all), {src, weights}, context);
    const std::size_t image = src.size() / 9, result = together.size() / 9;
    for (const std::size_t i : {0, 4, 8}) {
      const Bytes alone(src.data() + i * image, src.data() + (i + 1) * image);
      const Bytes expected(together.data() + i * result, together.data() + (i + 1) * result);
      for (const int threads : {1, 2, 5}) {
        Context other{.threads = threads, .winograd = true};
        EXPECT_EQ(run(forward(one), {alone, weights}, other), expected) << "image " << i << ", " << threads << " threads";
      }
    }
  }
}

// Its own tile, and of others no more than the sums that it is in (docs/numerics.md).
TEST(Winograd, KeepsWhatIsNotFiniteInItsTile) {
  const ConvCase test{2, 16, 16, 32, 32, 3, 3, padded(1, 1, 1, 1)};
  const Bytes src = random_floats({test.src(), DType::f32}, 1), weights = random_floats({test.weights(), DType::f32}, 2);
  constexpr std::int64_t y = 7, x = 9;  // in the tile of rows 4 to 7 and columns 8 to 11; sums of row 8 have it, too
  with_each_instruction_set([&] {
    Context context{.threads = 2, .winograd = true};
    const auto before = as<float>(run(forward(test), {src, weights}, context));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Bytes other(src);
      std::memcpy(other.data() + ((y * test.w + x) * test.c + 5) * sizeof(float), &bad, sizeof bad);
      const auto after = as<float>(run(forward(test), {other, weights}, context));
      for (std::size_t i = 0; i < after.size(); ++i) {
        const auto pixel = static_cast<std::int64_t>(i) / test.o;
        const std::int64_t row = pixel / test.w % test.h, column = pixel % test.w;
        if (pixel >= test.h * test.w || row < 4 || row > 8 || column < 8 || column > 11) {
          ASSERT_EQ(after[i], before[i]) << "image " << pixel / (test.h * test.w) << ", row " << row << ", column " << column;
        } else if (std::abs(row - y) <= 1 && std::abs(column - x) <= 1) {
          ASSERT_FALSE(std::isfinite(after[i])) << "row " << row << ", column " << column;
        }
      }
    }
  });
}

TEST(Winograd, TakesNothingElse) {
  Context context{.winograd = true};
  const auto taken = [&](const ConvCase& test, DType type = DType::f32) {
    return implementation_of(forward(test, type), context).find("winograd") != std::string::npos;
  };
  const ConvCase test{1, 8, 8, 32, 32, 3, 3, padded(1, 1, 1, 1)};
  EXPECT_TRUE(taken(test));
  EXPECT_FALSE(taken(test, DType::bf16));
  ConvCase other = test;
  other.conv.stride = {1, 2};
  EXPECT_FALSE(taken(other));
  other = test;
  other.conv.groups = 2;
  EXPECT_FALSE(taken(other));
  other = test;
  other.kw = 1;
  EXPECT_FALSE(taken(other));
  other = test;
  other.c = 24;
  EXPECT_FALSE(taken(other));
  context.winograd = false;
  EXPECT_FALSE(taken(test));
}

}  // namespace
}  // namespace qfw::cpu::test
